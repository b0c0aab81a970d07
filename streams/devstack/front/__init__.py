"""ClickHouse's HTTP interface over the chDB engine: the embedded stack's database server.

chDB lets one process open a data directory and has no network interface. This process opens it and serves
requests as a ClickHouse server would, so that every worker uses the one HTTP client that it uses in production.
Start it with `python -m streams.devstack.front --data DIR`.
"""
