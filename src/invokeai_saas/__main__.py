"""`python -m invokeai_saas`: the same as the `invokeai-saas` command."""

from invokeai_saas.cli import main

main()
