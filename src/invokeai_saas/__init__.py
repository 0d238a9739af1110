"""The multi-tenant service around InvokeAI."""

__version__ = "0.1.0"
