"""`python -m streams.cli` is `synclogs`, for where the script is not on the path."""

from streams.cli import main

main()
