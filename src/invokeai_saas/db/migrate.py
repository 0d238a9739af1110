"""Applies migrations as the owner role."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, pool


def _configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("invokeai_saas.db") / "migrations"))
    return config


def _run(owner_url: str, action: str, revision: str) -> None:
    config = _configuration()
    url = make_url(owner_url).set(drivername="postgresql+psycopg")
    engine = create_engine(url, poolclass=pool.NullPool)
    try:
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            getattr(command, action)(config, revision)
    finally:
        engine.dispose()


def upgrade(owner_url: str, revision: str = "head") -> None:
    """Brings the schema up to `revision`. Parameters: owner_url: any PostgreSQL URL of the owner role."""
    _run(owner_url, "upgrade", revision)


def downgrade(owner_url: str, revision: str) -> None:
    """Takes the schema back to `revision` ("base" for an empty one)."""
    _run(owner_url, "downgrade", revision)
