"""A workflow from the page's editor, run by InvokeAI's engine, for two people at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import expect

from invokeai_saas.embedded.servers import Addresses
from tests.browser.conftest import Deployment, deployed
from tests.browser.people import PATIENCE, STARTER, Visitor
from tests.browser.studio import Workflows
from tests.browser.test_tabs import PROMPTS, both
from tests.conformance.document import ENGINE, ROOT

MISSING = (
    "InvokeAI's engine is missing, so NO WORKFLOW OF THE EDITOR WAS RUN BY IT. `make dev` makes .venv-engine."
)
SIZES = {"Ada": (128, 192), "Bob": (192, 128)}  # width, height


@pytest.fixture(scope="module")
def deployment(migrated: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A service whose worker has the real engine and the starter model."""
    if not ENGINE.exists():
        pytest.skip(MISSING)
    changes = {"worker_engine": "invokeai", "model_dir": ROOT / "models"}
    with deployed(migrated, tmp_path_factory.mktemp("engine"), STARTER, ENGINE, changes) as found:
        yield found


async def test_a_picture_by_a_workflow_built_in_the_editor(ada: Visitor, bob: Visitor) -> None:
    async def work(person: Visitor, name: str) -> None:
        workflows = Workflows(person)
        await workflows.new()
        model = await workflows.add_node("Main Model - SD1.5, SD2")
        prompt = await workflows.add_node("Prompt - SD1.5")
        noise = await workflows.add_node("Create Latent Noise")
        denoise = await workflows.add_node("Denoise - SD1.5, SDXL")
        decode = await workflows.add_node("Latents to Image - SD1.5, SDXL")
        await workflows.spread()
        await workflows.connect(model, "clip", prompt)
        await workflows.connect(model, "unet", denoise)
        await workflows.connect(prompt, "conditioning", denoise, "positive_conditioning")
        await workflows.connect(prompt, "conditioning", denoise, "negative_conditioning")
        await workflows.connect(noise, "noise", denoise)
        # Edges of the node that is selected, the last one, lie over others' dots: so they come last.
        await workflows.connect(denoise, "latents", decode)
        await workflows.connect(model, "vae", decode)
        await model.get_by_role("combobox").fill(STARTER["name"])
        await person.page.keyboard.press("Enter")
        await prompt.get_by_role("textbox").fill(PROMPTS[name])
        height, _, width = await noise.get_by_role("spinbutton").all()  # a seed is between them
        await width.fill(str(SIZES[name][0]))
        await height.fill(str(SIZES[name][1]))
        await denoise.get_by_role("spinbutton").last.fill("2")  # steps
        kept = decode.get_by_label("Save To Gallery")
        await kept.dispatch_event("click")  # the box that is seen is a drawing beside it
        await expect(kept).to_be_checked()
        await person.invoke()
        await expect(person.pictures).to_have_count(1, timeout=2 * PATIENCE)
        image = person.pictures.locator("img").first
        assert await person.shown(image)
        width_shown, height_shown = await image.evaluate("image => [image.naturalWidth, image.naturalHeight]")
        assert width_shown * SIZES[name][1] == height_shown * SIZES[name][0]
        await person.look(f"50-engine-workflow-{name}")

    await both(ada, bob, work)
