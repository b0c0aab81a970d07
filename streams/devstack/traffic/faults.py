"""What the other side says of a record it did not take: codes, texts, fields, how often each is seen. Data only.

A text's {placeholders} are filled from the record (`render.py`). `reason` is the reason that a reader of the text would
give it; it never goes into an event.
"""

from typing import NamedTuple


class Fault(NamedTuple):
    """One error text; `weight` is its share among the faults that the same kind of record can have."""

    weight: float
    reason: str
    code: str
    message: str
    field: str = ""
    kinds: tuple[str, ...] = ()
    """The kinds of records that it happens to; empty: all."""


_CUSTOMER = ("company",)
_ANYBODY = ("company", "person")
_ITEM = ("item",)
_INVOICE = ("invoice",)
# An invoice brings its customer along, and fails with it.
_SALES = ("company", "invoice")

# Zoho FSM answers, in the envelope of Zoho's CRM family.
BOOKS_TO_FSM = (
    Fault(26, "mandatory_field_missing", "MANDATORY_NOT_FOUND",
          "The following mandatory field(s) were left empty: Last Name", "last_name", _SALES),
    Fault(5, "mandatory_field_missing", "MANDATORY_NOT_FOUND",
          "The following mandatory field(s) were left empty: Last Name, Email", "last_name", _CUSTOMER),
    Fault(3, "mandatory_field_missing", "MANDATORY_NOT_FOUND", "required field not found", "company_name", _SALES),
    Fault(22, "duplicate_record", "DUPLICATE_DATA",
          "Contact with this email-id is already associated with this company", "email", _SALES),
    Fault(4, "duplicate_record", "DUPLICATE_DATA", "duplicate data", "phone", _CUSTOMER),
    Fault(2, "record_state_conflict", "RECORD_IN_BLUEPRINT", "The record is in blue print"),
    Fault(2, "record_state_conflict", "NOT_APPROVED", "The record is not approved", "", _INVOICE),
    Fault(2, "duplicate_record", "DUPLICATE_DATA", "The external field contains duplicate data.", "sku", _ITEM),
    Fault(3, "mandatory_field_missing", "MANDATORY_NOT_FOUND", "required field not found", "name", _ITEM),
    Fault(3, "invalid_format", "INVALID_DATA",
          "Invalid Email Id. Please choose a different email id", "email", _CUSTOMER),
    Fault(2, "invalid_format", "PATTERN_NOT_MATCHED",
          "Please check whether the input values are correct", "phone", _CUSTOMER),
    Fault(2, "invalid_format", "INVALID_DATA",
          '{{"code":"INVALID_DATA","details":{{"expected_data_type":"double","api_name":"Unit_Price"}},'
          '"message":"invalid data","status":"error"}}', "rate", _ITEM),
    Fault(2, "invalid_option", "INVALID_DATA",
          '{{"code":"INVALID_DATA","details":{{"supported_values":["Goods","Service"],"api_name":"Type"}},'
          '"message":"invalid data","status":"error"}}', "product_type", _ITEM),
    Fault(2, "value_limit_exceeded", "LIMIT_EXCEEDED", "Max field limit exceeded", "notes"),
    Fault(3, "reference_not_found", "INVALID_DATA",
          "the related id given seems to be invalid: {other_id}", "company", _INVOICE),
    Fault(2, "reference_not_found", "INVALID_DATA", "the owner id given is invalid", "owner"),
    Fault(2, "record_not_found", "INVALID_DATA", "no record found to update"),
    Fault(2, "permission_denied", "NO_PERMISSION", "Field Edit Permission not given", "territory", _SALES),
    Fault(1, "finance_setup_mismatch", "CURRENCIES_NOT_ENABLED",
          "Multi currency is not enabled", "currency_code", _SALES),
    Fault(1, "business_rule_rejected", "INVALID_DATA",
          "Field cannot be updated as it is associated with a validation rule.", "billing_address", _CUSTOMER),
    Fault(1, "mapping_or_config_error", "INVALID_FIELD", "invalid mapping. invalid api_name {field}_Name."),
    Fault(1, "plan_limit_reached", "FEATURE_NOT_ENABLED", "This feature is not available in your edition"),
    Fault(1, "concurrent_modification", "RECORD_LOCKED", "The record under merge is locked"),
    Fault(1, "service_unavailable", "INTERNAL_ERROR", "Internal server error occurred."),
    Fault(1, "rate_limited", "TOO_MANY_REQUESTS", "Too many requests. Please try again after {seconds} seconds."),
    Fault(1.5, "unclassified", "E{number}", "Dispatch board: step {number} did not go well for {other_id}"),
    Fault(0.7, "unclassified", "", "Territory tree {other_id} out of step at slot {number}"),
)  # fmt: skip

# Zoho Books and Zoho Invoice answer, with numeric codes.
FSM_TO_BOOKS = (
    Fault(9, "duplicate_record", "3062",
          'The customer "{name}" already exists. Please specify a different name.', "contact_name", _CUSTOMER),
    Fault(6, "duplicate_record", "1001", 'Item "{name}" already exists.', "name", _ITEM),
    Fault(7, "mandatory_field_missing", "4", "The following mandatory field(s) were left empty: Company Name",
          "company_name", _ANYBODY),
    Fault(3, "mandatory_field_missing", "4", "Please enter value(s) for: Primary Currency", "currency_code", _CUSTOMER),
    Fault(5, "invalid_format", "15", "Invalid value passed for email: it is not a valid email", "email", _ANYBODY),
    Fault(2, "invalid_format", "4", "The website address you entered is not valid", "website", _CUSTOMER),
    Fault(6, "value_limit_exceeded", "15", 'Please ensure that the "description" has less than 100 characters.',
          "description", _ITEM),
    Fault(3, "invalid_option", "11", "The value {number} is not one of the allowed options of Payment Terms",
          "payment_terms", _CUSTOMER),
    Fault(5, "finance_setup_mismatch", "3008", "The TaxType code '{tax}' cannot be used with account code '{number}'.",
          "tax_id", _ITEM),
    Fault(3, "finance_setup_mismatch", "3009", "The currency {currency} is not enabled for the organization",
          "currency_code", _CUSTOMER),
    Fault(4, "reference_not_found", "1048", "Something you're trying to use has been made inactive: account {other_id}",
          "account_id", _ITEM),
    Fault(3, "reference_not_found", "1048", "Waiting for account to sync", "company", ("person",)),
    Fault(4, "record_not_found", "1002", "Item does not exist.", "", _ITEM),
    Fault(2, "record_not_found", "3003", "Customer does not exist.", "", _ANYBODY),
    Fault(3, "record_state_conflict", "5010", "Account Period Closed: The account period has closed.", "", _ITEM),
    Fault(2, "record_state_conflict", "4011",
          "Company cannot be changed for Contacts that are converted", "", ("person",)),
    Fault(4, "permission_denied", "57", "User does not have permission to perform this operation"),
    Fault(1, "permission_denied", "57", "El usuario no tiene permiso para realizar esta operación"),
    Fault(4, "rate_limited", "45", "Rate limit exceeded for Zoho Books API"),
    Fault(2, "rate_limited", "44",
          "For security reasons you have been blocked for some time as you have exceeded the maximum number of "
          "requests per minute that can be made from one account."),
    Fault(3, "service_unavailable", "1000", "Internal error"),
    Fault(1, "service_unavailable", "503", "Zoho Books API is temporarily unavailable"),
    Fault(1.5, "plan_limit_reached", "103", "Request exceeds your license limit. Need to upgrade in order to add"),
    Fault(1.5, "concurrent_modification", "5010",
          "Stale Object Error: You and {person} were working on this at the same time."),
    Fault(2, "mapping_or_config_error", "2", "Invalid URL Passed"),
    Fault(2, "business_rule_rejected", "7011", "Credit limit of the customer has been exceeded by {number}.00",
          "credit_limit", _CUSTOMER),
    Fault(1.5, "unclassified", "9{number}", "Bridge said no to {other_id} at step {number}"),
    Fault(0.7, "unclassified", "", "A validation exception occurred"),
)  # fmt: skip

# What makes every record of a sync fail, in either direction.
OUTAGES = (
    Fault(3, "authentication_failed", "INVALID_TOKEN", "invalid oauth token"),
    Fault(1, "authentication_failed", "AUTHENTICATION_FAILURE", "Authentication failed"),
    Fault(3, "service_unavailable", "500", "Internal server error occurred."),
    Fault(2, "service_unavailable", "503", "The server sent HTTP status code 503: Service Temporarily Unavailable"),
    Fault(2, "permission_denied", "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL"),
    Fault(1, "plan_limit_reached", "LICENSE_LIMIT_EXCEEDED",
          "Request exceeds your license limit. Need to upgrade in order to add"),
    Fault(1, "mapping_or_config_error", "INVALID_MODULE", "The module name given seems to be invalid"),
)  # fmt: skip

# Why a record was left out although nothing went wrong. These have no reason: only failed records are classified.
SKIPS = (
    Fault(5, "", "EXCLUDED_BY_FILTER", "Excluded by the sync filter: Status is Inactive", "status"),
    Fault(3, "", "NOT_MODIFIED", "Not modified since the last sync"),
    Fault(2, "", "SYNC_DISABLED", "Sync is turned off for this record", "sync_enabled"),
    Fault(1, "", "UNSUPPORTED_TYPE", "Items of type {tax} are not synced", "item_type"),
)  # fmt: skip

BY_DIRECTION = {"books_to_fsm": BOOKS_TO_FSM, "fsm_to_books": FSM_TO_BOOKS}
