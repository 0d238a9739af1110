"""Stable Diffusion in a single file: what the file does not say is known here, so that nothing asks the model hub."""
