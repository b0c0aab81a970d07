"""The page, the API and the CSV files: the published view of one tenant, by the addresses that `routes` lists."""
