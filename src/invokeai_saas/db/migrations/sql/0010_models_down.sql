DROP FUNCTION install_my_room(), install_room(uuid, bigint), _install_kept(jsonb), _install_anew(jsonb), install_claim(text, double precision, integer),
    install_beat(bigint, uuid, double precision, jsonb, bigint, bigint), install_downloaded(bigint, uuid, jsonb, bigint),
    install_fail(bigint, uuid, text, text), install_return(bigint, uuid), install_finish(bigint, uuid, jsonb, jsonb),
    catalog_change_model(text, jsonb), catalog_set_cover(text, text, text), catalog_delete_model(text),
    catalog_relate(text, text), catalog_unrelate(text, text), catalog_file_lists(text, integer),
    catalog_mark_missing(text, boolean), _catalog_writable(uuid), _catalog_is_staff();
DROP TABLE model_installs, model_relationships;
ALTER TABLE models DROP COLUMN cover_key, DROP COLUMN files, DROP COLUMN missing;
