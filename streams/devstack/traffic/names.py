"""Names for simulated tenants, customers, contacts and items. Data only.

Some are hard on purpose: other scripts, quotes, commas, first characters that a spreadsheet would read as a formula.
"""

TENANT_WORDS = (
    "acme", "alpine", "aurora", "beacon", "birchwood", "bluebird", "brightline", "cascade", "cedar", "citadel",
    "clearwater", "compass", "copperfield", "cornerstone", "delta", "evergreen", "falcon", "gateway", "granite",
    "harbour", "highland", "ironbridge", "juniper", "keystone", "lakeside", "lighthouse", "maple", "meridian",
    "northwind", "oakhurst", "pinnacle", "quarry", "redwood", "riverside", "sierra", "silverline", "summit",
    "tidewater", "vanguard", "westfield", "zylker",
)  # fmt: skip
TENANT_TRADES = (
    "field-services", "plumbing", "hvac", "electrical", "pest-control", "solar", "elevators", "landscaping",
    "fire-safety", "appliance-repair", "pool-care", "cleaning",
)  # fmt: skip

FIRST_NAMES = (
    "James", "Maria", "Ahmed", "Priya", "Chen", "Olga", "Peter", "Fatima", "Lars", "Aiko", "Carlos", "Ingrid",
    "Samuel", "Leila", "Tomás", "Zoë", "François", "Jürgen", "Łukasz", "Søren", "Siân", "Nuno", "Anjali", "Kwame",
    "Emily", "Björn", "Chloé", "Dmitri", "Grace", "Hassan", "Ivana", "Jack", "Kavya", "Liam", "Mei", "Noah",
    "Oscar", "Paula", "Quentin", "Rosa", "Sofía", "Tariq", "Uma", "Viktor", "Wanjiru", "Xavier", "Yusuf", "Zainab",
)  # fmt: skip
LAST_NAMES = (
    "Bilkin", "Nguyen", "O'Brien", "Müller", "García", "Patel", "Kowalski", "Smith-Jones", "Haddad", "Ivanova",
    "Okafor", "Tanaka", "Larsen", "Dubois", "Rossi", "Silva", "van der Berg", "Åkesson", "Yılmaz", "Novák",
    "Anderson", "Banerjee", "Castillo", "D'Angelo", "Eriksson", "Fischer", "Gunawardena", "Hughes", "Iyer",
    "Johansson", "Kaplan", "Lindqvist", "MacLeod", "Nakamura", "Ortega", "Petrović", "Quinn", "Ramírez", "Sørensen",
    "Thompson", "Usman", "Venter", "Walker", "Zhang",
)  # fmt: skip
# The first is the contact of the product's own documentation; the others are there for the CSV.
NOTABLE_PEOPLE = (
    "James Bilkin", 'Robert "Bob" Tables', "Núñez, María José", "山田 太郎", "محمد الأحمد", "Олена Шевченко",
    "-Anna Berg", "@sam.field", "+1 555 0100 (front desk)", "김민준",
)  # fmt: skip

COMPANY_STEMS = (
    "Acme", "Baxter", "Callahan", "Denholm", "Ellery", "Fairmont", "Gladstone", "Hartwell", "Ibsen", "Jefferson",
    "Kingsley", "Lockwood", "Marlow", "Norwood", "Oakley", "Pemberton", "Quayside", "Rosewood", "Stanton", "Thornton",
    "Underhill", "Vale", "Whitmore", "Yardley", "Zimmer", "Bäckerei Groß", "Café Île", "Peña y Hijos", "Kraków Dom",
)  # fmt: skip
COMPANY_FORMS = (
    "Inc.", "Ltd", "GmbH", "Properties, LLC", "& Sons", "Dental", "Logistics", "Hotels", "School District", "Foods",
    "Car Wash", "Estates", "Medical Group", "Printing", "Storage", "Brewing Co.", "Farms", "Motors",
)  # fmt: skip
NOTABLE_COMPANIES = (
    "Acme Inc.", "=SUM(A1:A9) Accounting", '=HYPERLINK("http://example.com","Prize") Ltd', "+49 Handwerk GmbH",
    "-10% Discount Tyres", "@Home Rentals", 'The "Best" Bakery, Ltd', "東京設備株式会社", "ООО «Ремонт»",
    "Smith, Jones & O'Neil; Partners", "\tTabbed Holdings",
)  # fmt: skip

PARTS = (
    "Ball valve", "Circuit breaker", "Condenser coil", "Copper pipe", "Door closer", "Drain pump", "Expansion tank",
    "Fan motor", "Filter cartridge", "Flow switch", "Gas igniter", "Heat exchanger", "Inverter board", "LED panel",
    "Pressure gauge", "Relief valve", "Smoke detector", "Solar module", "Thermostat", "Wärmepumpe",
)  # fmt: skip
PART_SIZES = (
    '1/2"', '3/4"', '1"', "15 mm", "22 mm", "10 A", "16 A", "24 V", "230 V", "small", "large", "set of 4", "v2",
    "50 W", "300 W", "IP65",
)  # fmt: skip
SERVICES = (
    "Annual inspection", "Emergency call-out", "Boiler service, incl. parts", "Drain cleaning", "Duct cleaning",
    "First hour of labour", "Installation", "Leak detection", "Pest treatment", "System flush", "Wartung (Vertrag)",
    "-5 °C start-up check", "=Flat rate=",
)  # fmt: skip
CITIES = ("Austin", "Chennai", "Düsseldorf", "Leeds", "Lyon", "Montréal", "Pune", "São Paulo", "Utrecht", "Zürich")
CURRENCIES = ("USD", "EUR", "GBP", "INR", "CAD", "BRL", "CHF")
