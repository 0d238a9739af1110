DROP FUNCTION install_converted(bigint, uuid);
DROP FUNCTION install_convert(bigint, uuid, jsonb, jsonb);
DROP INDEX uq_model_installs_converting;
DELETE FROM model_installs WHERE kind = 'convert';
ALTER TABLE model_installs DROP CONSTRAINT ck_model_installs_kind;
ALTER TABLE model_installs ADD CONSTRAINT ck_model_installs_kind CHECK (kind IN ('install', 'identify'));
