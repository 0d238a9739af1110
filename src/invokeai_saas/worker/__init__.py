"""The GPU process: claims jobs, runs them on an engine, settles them."""
