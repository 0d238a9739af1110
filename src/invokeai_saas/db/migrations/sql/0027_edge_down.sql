DROP FUNCTION edge_wait(uuid, double precision), edge_done(uuid, bigint[]), edge_claim(double precision, integer),
    edge_removed_person(uuid), edge_removed(text[]);
DROP TABLE removed_files;
