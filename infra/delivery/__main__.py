"""The command line of what pipelines do. Each option can be an environment variable of the pipeline's."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from infra.delivery.common import DeliveryFailed, say
from infra.delivery.drill import Drill, run_drill
from infra.delivery.ecs import Cluster, by_repository
from infra.delivery.once import run_once
from infra.delivery.registry import check_scan, digest_of
from infra.delivery.release import Health, Plan, Release
from infra.delivery.workers import replace_workers

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

ClusterName = Annotated[str, typer.Option(envvar="ECS_CLUSTER", help="Name of the ECS cluster.")]
Images = Annotated[list[str], typer.Option("--image", envvar="IMAGES", help="registry/repository@sha256:...")]
Family = Annotated[str, typer.Option(envvar="MIGRATION_FAMILY", help="Task definition of the migrations.")]
Subnets = Annotated[list[str], typer.Option("--subnet", envvar="TASK_SUBNETS", help="Of the task.")]
Groups = Annotated[
    list[str],
    typer.Option(
        "--security-group", envvar="TASK_SECURITY_GROUPS", help="Of the task: must reach the database."
    ),
]


def _network(subnets: list[str], groups: list[str]) -> dict[str, Any]:
    return {
        "awsvpcConfiguration": {"subnets": subnets, "securityGroups": groups, "assignPublicIp": "DISABLED"}
    }


@app.command()
def digest(repository: str, tag: str) -> None:
    """Prints the digest that a tag of ECR's names."""
    say(digest_of(repository, tag))


@app.command()
def scan(
    repository: str, image_digest: str, seconds: Annotated[float, typer.Option(help="To wait.")] = 900.0
) -> None:
    """Fails if ECR's scan of an image found something critical or high."""
    check_scan(repository, image_digest, seconds)


@app.command()
def migrate(
    cluster: ClusterName,
    image: Images,
    family: Family,
    subnet: Subnets,
    security_group: Groups,
    seconds: Annotated[float, typer.Option(help="That it may take.")] = 1800.0,
) -> None:
    """Runs the migrations as a task of their own and fails unless it ends with 0."""
    ecs = Cluster(cluster)
    revision = ecs.revision(family, by_repository(image))
    ecs.run_task(revision, _network(subnet, security_group), seconds=seconds)


@app.command()
def task(
    cluster: ClusterName,
    subnet: Subnets,
    security_group: Groups,
    family: Annotated[str, typer.Argument(help="Task definition, such as invokeai-migrate.")],
    command: Annotated[list[str] | None, typer.Argument(help="Instead of its own, after --.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Remove its log once it is shown.")] = False,
    seconds: Annotated[float, typer.Option(help="That it may take.")] = 1800.0,
) -> None:
    """Runs a task once by hand, shows what it printed, and fails unless it ends with 0."""
    run_once(
        Cluster(cluster), family, _network(subnet, security_group),
        command=command or [], seconds=seconds, forget=forget,
    )  # fmt: skip


@app.command()
def running(
    cluster: ClusterName,
    service: Annotated[str, typer.Option(envvar="API_SERVICE", help="Name of the service.")],
) -> None:
    """Prints the image that a service is to run: what to go back to."""
    say(Cluster(cluster).image_of(service))


@app.command()
def release(
    cluster: ClusterName,
    image: Images,
    canary: Annotated[
        str, typer.Option(envvar="API_SERVICE", help="The service that a canary goes ahead of.")
    ],
    url: Annotated[str, typer.Option(envvar="PUBLIC_URL", help="Base URL whose health is looked at.")],
    service: Annotated[
        list[str] | None, typer.Option(envvar="OTHER_SERVICES", help="Those that follow.")
    ] = None,
    alarm: Annotated[list[str] | None, typer.Option(envvar="ALARMS", help="None of these may ring.")] = None,
    bake: Annotated[float, typer.Option(help="Seconds that a canary must stay well.")] = 300.0,
) -> None:
    """Canary, then everything, and back to what ran before if anything is wrong."""
    plan = Plan(by_repository(image), canary, tuple(service or ()), bake_seconds=bake)
    Release(Cluster(cluster), plan, Health(url.rstrip("/"), alarm or ())).run()


@app.command()
def workers(
    image: Annotated[str, typer.Option(envvar="WORKER_IMAGE", help="registry/repository@sha256:...")],
    parameter: Annotated[str, typer.Option(envvar="WORKER_PARAMETER", help="Of SSM, which machines read.")],
    group: Annotated[list[str], typer.Option(envvar="WORKER_GROUPS", help="Auto-scaling groups.")],
    seconds: Annotated[float, typer.Option(help="To wait for the new machines; 0: not at all.")] = 0.0,
) -> None:
    """Has the GPU machines replaced by ones with another image, busy ones when they are free."""
    by_repository([image])
    replace_workers(parameter, image, group, seconds=seconds)


@app.command("restore-drill")
def restore_drill(
    cluster: ClusterName,
    family: Family,
    subnet: Subnets,
    security_group: Groups,
    database: Annotated[
        str, typer.Option(envvar="DATABASE_CLUSTER", help="Aurora cluster to restore a copy of.")
    ],
    age: Annotated[float, typer.Option(help="Seconds that its newest row may be old.")] = 3600.0,
) -> None:
    """Restores a copy of the database from its backup, looks at it from inside, and removes it."""
    run_drill(Drill(database, family, _network(subnet, security_group), age_seconds=age), Cluster(cluster))


def main() -> int:
    try:
        app(standalone_mode=False)
    except DeliveryFailed as error:
        say(f"FAILED: {error}")
        return 1
    except typer.Exit as stop:
        return int(stop.exit_code)
    except Exception as error:
        import click

        if not isinstance(error, click.ClickException):
            raise
        error.show()
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
