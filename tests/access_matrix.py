"""Who may call what: each operation of the application, and what comes of it for whom.

The call is a good one of its owner's, Ada's; the others send it as it is, with her things named in it.

| cell | expected |
|---|---|
| `ok` | InvokeAI's success status, or any below 400 for an operation of our own |
| `own` | a success about the caller alone: Ada's things count as what nobody has, and are nowhere in the answer |
| a number | that status, and byte by byte the answer that things which nobody has would get |

`admin` is a person whose role is admin: staff act in pages of their own, and have no other rights here than anybody.
`key` is a program of somebody's on Pro, which has no models of one's own; the others' plan includes all there is.
No payments are set up for these calls, hence the 503; with them: tests/billing.
Nor is there a log-in page of an identity provider, hence the 404; with one: tests/identity/hosted.
While docs/contract.md says 403 or 501 of an operation, that is expected instead.
"""

from __future__ import annotations

from typing import NamedTuple


class Access(NamedTuple):
    """A row."""

    name: str
    owner: str
    other: str
    nobody: str
    admin: str
    key: str


def _rows(text: str) -> list[Access]:
    found = []
    for line in text.strip().splitlines()[1:]:
        method, path, *cells = line.split()
        found.append(Access(f"{method} {path}", *cells))
    return found


MATRIX = _rows(
    """
operation                                                            owner  other  nobody  admin  key
GET /api/v1/app/app_deps                                             ok     own    401     own    own
GET /api/v1/app/external_providers/config                            403    403    401     403    403
DELETE /api/v1/app/external_providers/config/{provider_id}           403    403    401     403    403
POST /api/v1/app/external_providers/config/{provider_id}             403    403    401     403    403
GET /api/v1/app/external_providers/status                            ok     own    401     own    own
GET /api/v1/app/generation_device_options                            ok     own    401     own    own
DELETE /api/v1/app/invocation_cache                                  403    403    401     403    403
PUT /api/v1/app/invocation_cache/disable                             403    403    401     403    403
PUT /api/v1/app/invocation_cache/enable                              403    403    401     403    403
GET /api/v1/app/invocation_cache/status                              403    403    401     403    403
GET /api/v1/app/logging                                              403    403    401     403    403
POST /api/v1/app/logging                                             403    403    401     403    403
GET /api/v1/app/patchmatch_status                                    ok     own    401     own    own
GET /api/v1/app/runtime_config                                       403    403    401     403    403
PATCH /api/v1/app/runtime_config                                     403    403    401     403    403
GET /api/v1/app/version                                              ok     own    own     own    own
GET /api/v1/auth/generate-password                                   ok     own    401     own    own
POST /api/v1/auth/login                                              ok     own    own     own    own
POST /api/v1/auth/logout                                             ok     own    own     own    own
GET /api/v1/auth/me                                                  ok     own    401     own    own
PATCH /api/v1/auth/me                                                ok     own    401     own    403
POST /api/v1/auth/media-cookie                                       ok     own    401     own    403
POST /api/v1/auth/setup                                              403    403    403     403    403
GET /api/v1/auth/status                                              ok     own    own     own    own
GET /api/v1/auth/users                                               403    403    401     403    403
POST /api/v1/auth/users                                              403    403    401     403    403
DELETE /api/v1/auth/users/{user_id}                                  403    403    401     403    403
GET /api/v1/auth/users/{user_id}                                     403    403    401     403    403
PATCH /api/v1/auth/users/{user_id}                                   403    403    401     403    403
DELETE /api/v1/board_images/                                         ok     404    401     404    404
POST /api/v1/board_images/                                           ok     404    401     404    404
POST /api/v1/board_images/batch                                      ok     404    401     404    404
POST /api/v1/board_images/batch/delete                               ok     own    401     own    own
GET /api/v1/boards/                                                  ok     own    401     own    own
POST /api/v1/boards/                                                 ok     own    401     own    own
DELETE /api/v1/boards/{board_id}                                     ok     404    401     404    404
GET /api/v1/boards/{board_id}                                        ok     404    401     404    404
PATCH /api/v1/boards/{board_id}                                      ok     404    401     404    404
GET /api/v1/boards/{board_id}/image_names                            ok     404    401     404    404
POST /api/v1/client_state/{queue_id}/delete                          ok     own    401     own    own
POST /api/v1/client_state/{queue_id}/delete_by_key                   ok     own    401     own    own
GET /api/v1/client_state/{queue_id}/get_by_key                       ok     own    401     own    own
GET /api/v1/client_state/{queue_id}/get_keys_by_prefix               ok     own    401     own    own
POST /api/v1/client_state/{queue_id}/set_by_key                      ok     own    401     own    own
GET /api/v2/custom_nodes/                                            403    403    401     403    403
POST /api/v2/custom_nodes/install                                    403    403    401     403    403
POST /api/v2/custom_nodes/reload                                     403    403    401     403    403
DELETE /api/v2/custom_nodes/{pack_name}                              403    403    401     403    403
GET /api/v1/gallery/item_names                                       ok     own    401     own    own
GET /api/v1/gallery/items/                                           ok     own    401     own    own
GET /api/v1/gallery/items/names                                      ok     own    401     own    own
POST /api/v1/image_moves/recover                                     403    403    401     403    403
POST /api/v1/image_moves/start                                       403    403    401     403    403
GET /api/v1/image_moves/status                                       403    403    401     403    403
GET /api/v1/images/                                                  ok     own    401     own    own
POST /api/v1/images/                                                 ok     own    401     own    own
POST /api/v1/images/delete                                           ok     own    401     own    own
POST /api/v1/images/download                                         ok     404    401     404    404
GET /api/v1/images/download/{bulk_download_item_name}                ok     404    401     404    404
DELETE /api/v1/images/i/{image_name}                                 ok     404    401     404    404
GET /api/v1/images/i/{image_name}                                    ok     404    401     404    404
PATCH /api/v1/images/i/{image_name}                                  ok     404    401     404    404
GET /api/v1/images/i/{image_name}/full                               ok     404    401     404    404
HEAD /api/v1/images/i/{image_name}/full                              ok     404    401     404    404
GET /api/v1/images/i/{image_name}/metadata                           ok     404    401     404    404
GET /api/v1/images/i/{image_name}/thumbnail                          ok     404    401     404    404
GET /api/v1/images/i/{image_name}/urls                               ok     404    401     404    404
GET /api/v1/images/i/{image_name}/workflow                           ok     404    401     404    404
POST /api/v1/images/images_by_names                                  ok     own    401     own    own
DELETE /api/v1/images/intermediates                                  ok     own    401     own    own
GET /api/v1/images/intermediates                                     ok     own    401     own    own
GET /api/v1/images/names                                             ok     own    401     own    own
POST /api/v1/images/star                                             ok     own    401     own    own
DELETE /api/v1/images/uncategorized                                  ok     own    401     own    own
POST /api/v1/images/unstar                                           ok     own    401     own    own
POST /api/v1/images/upload                                           ok     own    401     own    own
GET /api/v2/models/                                                  ok     own    401     own    own
PUT /api/v2/models/convert/{key}                                     ok     404    401     404    403
POST /api/v2/models/empty_model_cache                                403    403    401     403    403
GET /api/v2/models/get_by_attrs                                      ok     404    401     404    404
GET /api/v2/models/get_by_hash                                       ok     404    401     404    404
DELETE /api/v2/models/hf_login                                       403    403    401     403    403
GET /api/v2/models/hf_login                                          403    403    401     403    403
POST /api/v2/models/hf_login                                         403    403    401     403    403
GET /api/v2/models/hugging_face                                      ok     own    401     own    403
POST /api/v2/models/i/bulk_delete                                    ok     own    401     own    403
POST /api/v2/models/i/bulk_reidentify                                ok     own    401     own    403
DELETE /api/v2/models/i/{key}                                        ok     404    401     404    403
GET /api/v2/models/i/{key}                                           ok     404    401     404    404
PATCH /api/v2/models/i/{key}                                         ok     404    401     404    403
DELETE /api/v2/models/i/{key}/image                                  ok     404    401     404    403
GET /api/v2/models/i/{key}/image                                     ok     404    404     404    404
PATCH /api/v2/models/i/{key}/image                                   ok     404    401     404    403
POST /api/v2/models/i/{key}/reidentify                               ok     404    401     404    403
DELETE /api/v2/models/install                                        ok     own    401     own    own
GET /api/v2/models/install                                           ok     own    401     own    own
POST /api/v2/models/install                                          ok     own    401     own    403
GET /api/v2/models/install/huggingface                               ok     own    401     own    403
DELETE /api/v2/models/install/{id}                                   ok     404    401     404    404
GET /api/v2/models/install/{id}                                      ok     404    401     404    404
POST /api/v2/models/install/{id}/pause                               ok     404    401     404    404
POST /api/v2/models/install/{id}/restart_failed                      ok     404    401     404    404
POST /api/v2/models/install/{id}/restart_file                        ok     404    401     404    404
POST /api/v2/models/install/{id}/resume                              ok     404    401     404    404
GET /api/v2/models/missing                                           ok     own    401     own    own
GET /api/v2/models/scan_folder                                       403    403    401     403    403
GET /api/v2/models/starter_models                                    ok     own    401     own    own
GET /api/v2/models/stats                                             403    403    401     403    403
DELETE /api/v2/models/sync/orphaned                                  403    403    401     403    403
GET /api/v2/models/sync/orphaned                                     403    403    401     403    403
DELETE /api/v1/model_relationships/                                  ok     404    401     404    403
POST /api/v1/model_relationships/                                    ok     404    401     404    403
POST /api/v1/model_relationships/batch                               ok     own    401     own    own
GET /api/v1/model_relationships/i/{model_key}                        ok     404    401     404    404
GET /api/v1/queue/{queue_id}/b/{batch_id}/status                     ok     own    401     own    own
PUT /api/v1/queue/{queue_id}/cancel_all_except_current               ok     own    401     own    own
PUT /api/v1/queue/{queue_id}/cancel_by_batch_ids                     ok     own    401     own    own
PUT /api/v1/queue/{queue_id}/cancel_by_destination                   ok     own    401     own    own
PUT /api/v1/queue/{queue_id}/clear                                   ok     own    401     own    own
GET /api/v1/queue/{queue_id}/counts_by_destination                   ok     own    401     own    own
GET /api/v1/queue/{queue_id}/current                                 ok     own    401     own    own
DELETE /api/v1/queue/{queue_id}/d/{destination}                      ok     own    401     own    own
PUT /api/v1/queue/{queue_id}/delete_all_except_current               ok     own    401     own    own
POST /api/v1/queue/{queue_id}/enqueue_batch                          ok     422    401     422    422
DELETE /api/v1/queue/{queue_id}/i/{item_id}                          ok     404    401     404    404
GET /api/v1/queue/{queue_id}/i/{item_id}                             ok     404    401     404    404
PUT /api/v1/queue/{queue_id}/i/{item_id}/cancel                      ok     404    401     404    404
GET /api/v1/queue/{queue_id}/item_ids                                ok     own    401     own    own
POST /api/v1/queue/{queue_id}/item_summaries_by_ids                  ok     own    401     own    own
POST /api/v1/queue/{queue_id}/items_by_ids                           ok     own    401     own    own
GET /api/v1/queue/{queue_id}/list_all                                ok     own    401     own    own
GET /api/v1/queue/{queue_id}/next                                    ok     own    401     own    own
PUT /api/v1/queue/{queue_id}/processor/pause                         403    403    401     403    403
PUT /api/v1/queue/{queue_id}/processor/resume                        403    403    401     403    403
PUT /api/v1/queue/{queue_id}/prune                                   ok     own    401     own    own
PUT /api/v1/queue/{queue_id}/retry_items_by_id                       ok     own    401     own    own
GET /api/v1/queue/{queue_id}/status                                  ok     own    401     own    own
GET /api/v1/recall/{queue_id}                                        ok     own    401     own    own
POST /api/v1/recall/{queue_id}                                       ok     own    401     own    own
GET /api/v1/style_presets/                                           ok     own    401     own    own
POST /api/v1/style_presets/                                          ok     own    401     own    own
GET /api/v1/style_presets/export                                     ok     own    401     own    own
DELETE /api/v1/style_presets/i/{style_preset_id}                     ok     404    401     404    404
GET /api/v1/style_presets/i/{style_preset_id}                        ok     404    401     404    404
PATCH /api/v1/style_presets/i/{style_preset_id}                      ok     404    401     404    404
GET /api/v1/style_presets/i/{style_preset_id}/image                  ok     404    401     404    404
POST /api/v1/style_presets/import                                    ok     own    401     own    own
GET /api/v1/system_prompts/                                          ok     own    401     own    own
POST /api/v1/system_prompts/                                         ok     own    401     own    own
DELETE /api/v1/system_prompts/i/{system_prompt_id}                   ok     404    401     404    404
GET /api/v1/system_prompts/i/{system_prompt_id}                      ok     404    401     404    404
PATCH /api/v1/system_prompts/i/{system_prompt_id}                    ok     404    401     404    404
POST /api/v1/utilities/dynamicprompts                                ok     own    401     own    own
POST /api/v1/utilities/expand-prompt                                 403    403    401     403    403
GET /api/v1/utilities/fonts                                          ok     own    401     own    own
GET /api/v1/utilities/fonts/{font_path}                              ok     404    401     404    404
POST /api/v1/utilities/image-to-prompt                               403    403    401     403    403
GET /api/v1/videos/                                                  ok     own    401     own    own
DELETE /api/v1/videos/board                                          ok     404    401     404    404
POST /api/v1/videos/board                                            ok     404    401     404    404
POST /api/v1/videos/delete                                           ok     own    401     own    own
DELETE /api/v1/videos/i/{video_name}                                 ok     404    401     404    404
GET /api/v1/videos/i/{video_name}                                    ok     404    401     404    404
PATCH /api/v1/videos/i/{video_name}                                  ok     404    401     404    404
GET /api/v1/videos/i/{video_name}/full                               ok     404    401     404    404
HEAD /api/v1/videos/i/{video_name}/full                              ok     404    401     404    404
GET /api/v1/videos/i/{video_name}/metadata                           ok     404    401     404    404
GET /api/v1/videos/i/{video_name}/thumbnail                          ok     404    401     404    404
GET /api/v1/videos/i/{video_name}/urls                               ok     404    401     404    404
GET /api/v1/videos/i/{video_name}/workflow                           ok     404    401     404    404
GET /api/v1/videos/names                                             ok     own    401     own    own
POST /api/v1/videos/star                                             ok     own    401     own    own
DELETE /api/v1/videos/uncategorized                                  ok     own    401     own    own
POST /api/v1/videos/unstar                                           ok     own    401     own    own
POST /api/v1/videos/upload                                           ok     own    401     own    own
GET /api/v1/virtual_boards/by_date                                   ok     own    401     own    own
GET /api/v1/virtual_boards/by_date/{date}/image_names                ok     own    401     own    own
GET /api/v1/virtual_boards/by_date/{date}/item_names                 ok     own    401     own    own
GET /api/v1/workflows/                                               ok     own    401     own    own
POST /api/v1/workflows/                                              ok     own    401     own    own
GET /api/v1/workflows/counts_by_category                             ok     own    401     own    own
GET /api/v1/workflows/counts_by_tag                                  ok     own    401     own    own
DELETE /api/v1/workflows/i/{workflow_id}                             ok     404    401     404    404
GET /api/v1/workflows/i/{workflow_id}                                ok     404    401     404    404
PATCH /api/v1/workflows/i/{workflow_id}                              ok     404    401     404    404
PATCH /api/v1/workflows/i/{workflow_id}/is_public                    ok     404    401     404    404
PUT /api/v1/workflows/i/{workflow_id}/opened_at                      ok     404    401     404    404
DELETE /api/v1/workflows/i/{workflow_id}/thumbnail                   ok     404    401     404    404
GET /api/v1/workflows/i/{workflow_id}/thumbnail                      ok     404    401     404    404
PUT /api/v1/workflows/i/{workflow_id}/thumbnail                      ok     404    401     404    404
GET /api/v1/workflows/tags                                           ok     own    401     own    own
POST /api/v1/auth/sign-up                                            ok     own    own     own    own
POST /api/v1/auth/refresh                                            401    401    401     401    401
POST /api/v1/auth/forgot-password                                    ok     own    own     own    own
POST /api/v1/auth/reset-password                                     422    422    422     422    422
POST /api/v1/auth/verify-email                                       422    422    422     422    422
POST /api/v1/account/verification                                    ok     own    401     own    403
GET /api/v1/account/contact                                          ok     own    401     own    403
PUT /api/v1/account/language                                         ok     own    401     own    403
GET /api/v1/keys                                                     ok     own    401     own    403
POST /api/v1/keys                                                    ok     own    401     own    403
DELETE /api/v1/keys/{key_id}                                         ok     404    401     404    403
GET /api/v1/plans                                                    ok     own    own     own    own
GET /api/v1/account/summary                                          ok     own    401     own    own
GET /api/v1/account/storage                                          ok     own    401     own    own
GET /api/v1/account/models                                           ok     own    401     own    own
GET /api/v1/packs                                                    ok     own    own     own    own
GET /api/v1/billing/invoices                                         ok     own    401     own    403
POST /api/v1/billing/subscribe                                       503    503    401     503    403
POST /api/v1/billing/packs                                           503    503    401     503    403
POST /api/v1/billing/portal                                          503    503    401     503    403
POST /api/v1/billing/change/preview                                  503    503    401     503    403
POST /api/v1/billing/change                                          503    503    401     503    403
POST /api/v1/billing/cancel                                          503    503    401     503    403
POST /api/v1/billing/reactivate                                      503    503    401     503    403
POST /api/v1/saas/stripe/webhook                                     503    503    503     503    503
GET /api/v1/credits/balance                                          ok     own    401     own    own
GET /api/v1/credits/history                                          ok     own    401     own    own
POST /api/v1/credits/estimate                                        ok     422    401     422    422
GET /api/v1/usage                                                    ok     own    401     own    own
GET /api/v1/organisation                                             ok     own    401     own    own
GET /api/v1/privacy/exports                                          ok     own    401     own    403
GET /api/v1/privacy/exports/{export_id}                              ok     404    401     404    403
GET /api/v1/privacy/deletion                                         ok     own    401     own    403
POST /api/v1/privacy/deletion                                        ok     own    401     409    403
DELETE /api/v1/privacy/deletion                                      ok     own    401     own    403
POST /api/v1/privacy/exports                                         ok     own    401     own    403
HEAD /api/v1/images/i/{image_name}/thumbnail                         ok     404    401     404    404
HEAD /api/v1/videos/i/{video_name}/thumbnail                         ok     404    401     404    404
GET /openapi.json                                                    ok     own    own     own    own
GET /                                                                ok     own    own     own    own
HEAD /                                                               ok     own    own     own    own
GET /welcome                                                         ok     own    own     own    own
HEAD /welcome                                                        ok     own    own     own    own
GET /pricing                                                         ok     own    own     own    own
HEAD /pricing                                                        ok     own    own     own    own
GET /signup                                                          ok     own    own     own    own
HEAD /signup                                                         ok     own    own     own    own
GET /login/offer                                                     ok     own    own     own    own
GET /login/hosted                                                    404    404    404     404    404
GET /login/callback                                                  404    404    404     404    404
GET /login/done                                                      404    404    404     404    404
HEAD /login/done                                                     404    404    404     404    404
GET /forgot-password                                                 ok     own    own     own    own
HEAD /forgot-password                                                ok     own    own     own    own
GET /reset-password                                                  ok     own    own     own    own
HEAD /reset-password                                                 ok     own    own     own    own
GET /verify-email                                                    ok     own    own     own    own
HEAD /verify-email                                                   ok     own    own     own    own
GET /account                                                         ok     own    own     own    own
HEAD /account                                                        ok     own    own     own    own
GET /portal/inter.woff2                                              ok     own    own     own    own
HEAD /portal/inter.woff2                                             ok     own    own     own    own
GET /setup                                                           ok     own    own     own    own
HEAD /setup                                                          ok     own    own     own    own
"""
)

# Routes that are no operations of a person's.
ELSEWHERE = {
    "/api/{path}": "what is not served: tests/studio/test_contract.py",
    "/images/{key}": "signed addresses: tests/storage",
    "/portal/{name}": "static files: tests/portal",
    "/{path}": "InvokeAI's page: tests/portal",
}
