"""The mock engine: no torch, procedural pictures from the prompt; same queue, same events, same metering.

For development and tests, as the source document asks. It runs a person's graph node by node in the order of its
edges, like the real engine does, reports progress with previews, and honours cancellation at every step. What has no
meaning without a model (weights, conditioning, latents) is a token that stands for a picture or a prompt; numbers,
texts and the picture work of the canvas are really done. Of any other node it answers what its exported schema says
an answer of it looks like.
"""

from invokeai_saas.worker.mock.engine import MockEngine

__all__ = ["MockEngine"]
