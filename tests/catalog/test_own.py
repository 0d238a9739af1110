"""What the page of a person's own models is told."""

from __future__ import annotations

from tests.apps import RunningApi, Subject
from tests.catalog.people import add_model, set_plan
from tests.servers import TestDatabase

OWN = "/api/v1/account/models"


async def test_own_models_are_listed_by_name_and_nobody_elses(
    ada: Subject, bob: Subject, database: TestDatabase
) -> None:
    add_model(database, None, "shared")
    add_model(database, bob.user_id, "bobs")
    second = add_model(database, ada.user_id, "b", file_size=3, type="main", format="checkpoint", base="sdxl")
    add_model(database, ada.user_id, "A")
    told = (await ada.get(OWN)).json()
    assert (told["may_install"], told["for_everybody"]) == (True, False)
    assert [model["name"] for model in told["models"]] == ["A", "b"]
    wanted = {name: second[name] for name in ("key", "name", "type", "base", "format", "file_size")}
    assert told["models"][1].items() >= wanted.items()
    assert [model["name"] for model in (await bob.get(OWN)).json()["models"]] == ["bobs"]


async def test_who_has_left_the_plan_sees_what_they_have(ada: Subject, database: TestDatabase) -> None:
    add_model(database, ada.user_id, "mine")
    set_plan(database, ada, "starter")
    told = (await ada.get(OWN)).json()
    assert told["may_install"] is False
    assert [model["name"] for model in told["models"]] == ["mine"]


async def test_a_trial_has_none(tom: Subject) -> None:
    assert (await tom.get(OWN)).json() == {"may_install": False, "for_everybody": False, "models": []}


async def test_our_staff_install_for_everybody(staff: Subject, database: TestDatabase) -> None:
    add_model(database, None, "shared")
    assert (await staff.get(OWN)).json() == {"may_install": True, "for_everybody": True, "models": []}


async def test_nobody_is_asked_to_log_in(api: RunningApi) -> None:
    assert (await api.nobody().get(OWN)).status_code == 401
