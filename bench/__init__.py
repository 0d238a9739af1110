"""Our API process beside stock InvokeAI, on this machine, in one run: `make bench`."""
