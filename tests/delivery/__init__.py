"""The fault suite: whatever is killed, cut, frozen or slow, no record is lost and none is doubled."""
