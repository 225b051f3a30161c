"""`python -m localaik` is `localaik`."""

from localaik.cli.main import main

main()
