-- Organisations, and what their people show each other: boards with their pictures, workflows, style presets, prompts.
--
-- Policies stay as they are: a table's rows are its person's alone, and the gallery's indexes serve that. What others
-- have shared is read through views of the same names and columns in a schema of their own, with the owner's rights:
-- sharing.images beside images. Each view asks sharing_people() whose things its caller may see, at that moment.

CREATE TABLE organisations (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    name VARCHAR(100) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_organisations PRIMARY KEY (id),
    CONSTRAINT fk_organisations_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT uq_organisations_user_id UNIQUE (user_id),
    CONSTRAINT uq_organisations_name UNIQUE (name)
);
CREATE TABLE organisation_members (
    user_id UUID NOT NULL,
    organisation_id UUID NOT NULL,
    role VARCHAR(10) DEFAULT 'member' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_organisation_members PRIMARY KEY (user_id),
    CONSTRAINT ck_organisation_members_role CHECK (role IN ('member', 'owner')),
    CONSTRAINT fk_organisation_members_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_organisation_members_organisation_id FOREIGN KEY(organisation_id)
        REFERENCES organisations (id) ON DELETE CASCADE
);
CREATE INDEX ix_organisation_members_organisation_id ON organisation_members (organisation_id);

-- The caller's organisation, whatever its plan. A function, since the policies below would ask themselves.
CREATE FUNCTION app_organisation() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp AS
$$ SELECT m.organisation_id FROM organisation_members m WHERE m.user_id = app_user() $$;

ALTER TABLE organisations ENABLE ROW LEVEL SECURITY;
ALTER TABLE organisations FORCE ROW LEVEL SECURITY;
ALTER TABLE organisation_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE organisation_members FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_all ON organisations TO invokeai_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_all ON organisation_members TO invokeai_owner USING (true) WITH CHECK (true);
CREATE POLICY tenant ON organisations TO invokeai_api
    USING (id = (SELECT app_organisation())) WITH CHECK (false);
CREATE POLICY tenant ON organisation_members TO invokeai_api
    USING (organisation_id = (SELECT app_organisation())) WITH CHECK (false);
GRANT SELECT ON organisations, organisation_members TO invokeai_api;

-- An organisation shares while the plan of its owner, who is the customer, has collaboration and is alive.
CREATE FUNCTION _organisation_shares(p_organisation uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM organisations o
        JOIN user_subscriptions s ON s.user_id = o.user_id
        JOIN subscription_plans p ON p.id = s.plan_id
        WHERE o.id = p_organisation AND p.collaboration AND s.current_period_end > now()
          AND s.status IN ('trialing', 'active', 'past_due'))
$$;

-- Whose shared things the caller may see now: the people of their organisation, themselves included. Nobody's without
-- an organisation, and nobody's while it does not share.
CREATE FUNCTION sharing_people() RETURNS TABLE (user_id uuid) LANGUAGE sql STABLE SECURITY DEFINER ROWS 10
SET search_path = public, pg_temp AS $$
    SELECT m.user_id FROM organisation_members me
    JOIN organisation_members m ON m.organisation_id = me.organisation_id
    WHERE me.user_id = app_user() AND _organisation_shares(me.organisation_id)
$$;

-- The names of the people of the caller's organisation; a person's other columns stay their own.
CREATE FUNCTION organisation_names() RETURNS TABLE (user_id uuid, name text) LANGUAGE sql STABLE SECURITY DEFINER
ROWS 10 SET search_path = public, pg_temp AS $$
    SELECT u.id, u.name::text FROM organisation_members me
    JOIN organisation_members m ON m.organisation_id = me.organisation_id
    JOIN users u ON u.id = m.user_id
    WHERE me.user_id = app_user()
$$;

-- A board takes pictures of its owner's colleagues while it is public. So the place of a picture names the board's
-- owner as well as the picture's: both foreign keys carry a person, each their own.
ALTER TABLE board_images ADD COLUMN board_user_id UUID;
UPDATE board_images SET board_user_id = user_id;
ALTER TABLE board_images ALTER COLUMN board_user_id SET NOT NULL,
    DROP CONSTRAINT fk_board_images_user_id_board_id,
    ADD CONSTRAINT fk_board_images_board_user_id_board_id FOREIGN KEY(board_user_id, board_id)
        REFERENCES boards (user_id, board_id) ON DELETE CASCADE;
DROP INDEX ix_board_images_user_id_board_id;
CREATE INDEX ix_board_images_board_user_id_board_id ON board_images (board_user_id, board_id);

-- The owner of a board sees what lies on it, and may take it off. Nobody places another's picture.
DROP POLICY tenant ON board_images;
CREATE POLICY tenant ON board_images TO invokeai_api
    USING (user_id = app_user() OR board_user_id = app_user()) WITH CHECK (user_id = app_user());

-- Board and memberships are held: who leaves or closes a board waits, and then takes off what was put there meanwhile.
CREATE FUNCTION _board_is_open(p_board uuid, p_user uuid) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (
        SELECT 1 FROM boards b
        JOIN organisation_members o ON o.user_id = b.user_id
        JOIN organisation_members m ON m.organisation_id = o.organisation_id
        WHERE b.board_id = p_board AND b.board_visibility = 'public' AND m.user_id = p_user
          AND _organisation_shares(o.organisation_id)
        FOR SHARE OF b, o, m)
$$;

CREATE FUNCTION gallery_place_on_board() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    SELECT b.user_id INTO NEW.board_user_id FROM boards b WHERE b.board_id = NEW.board_id;
    IF NEW.board_user_id IS DISTINCT FROM NEW.user_id AND NOT _board_is_open(NEW.board_id, NEW.user_id) THEN
        RAISE EXCEPTION 'no board for this picture' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER place_on_board BEFORE INSERT OR UPDATE OF board_id ON board_images
    FOR EACH ROW EXECUTE FUNCTION gallery_place_on_board();

-- Whether the caller may put pictures on a colleague's board; it then stays, and stays open, until they are there.
CREATE FUNCTION sharing_hold_board(p_board uuid) RETURNS boolean LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp AS
$$ SELECT _board_is_open(p_board, app_user()) $$;

-- Who cannot see a board any more has nothing on it: their pictures are uncategorised then.
CREATE FUNCTION gallery_close_board() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM board_images i
    WHERE i.board_user_id = NEW.user_id AND i.board_id = NEW.board_id AND i.user_id <> NEW.user_id;
    RETURN NULL;
END $$;
CREATE TRIGGER close_board AFTER UPDATE OF board_visibility ON boards FOR EACH ROW
    WHEN (NEW.board_visibility = 'private' AND OLD.board_visibility <> 'private')
    EXECUTE FUNCTION gallery_close_board();
GRANT UPDATE (board_visibility) ON boards TO invokeai_api;

-- Lists ask for a gallery's version anyway, and learn with it whether colleagues are to be asked about.
ALTER TABLE gallery_state ADD COLUMN in_organisation BOOLEAN DEFAULT false NOT NULL;

CREATE FUNCTION organisation_joined() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO gallery_state AS s (user_id, version, in_organisation) VALUES (NEW.user_id, 1, true)
    ON CONFLICT (user_id) DO UPDATE SET version = s.version + 1, in_organisation = true;
    RETURN NULL;
END $$;
CREATE FUNCTION organisation_left() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM board_images i WHERE i.user_id = OLD.user_id AND i.board_user_id <> OLD.user_id;
    DELETE FROM board_images i WHERE i.board_user_id = OLD.user_id AND i.user_id <> OLD.user_id;
    UPDATE gallery_state SET version = version + 1, in_organisation = false WHERE user_id = OLD.user_id;
    RETURN NULL;
END $$;
CREATE TRIGGER joined AFTER INSERT ON organisation_members FOR EACH ROW EXECUTE FUNCTION organisation_joined();
CREATE TRIGGER gone AFTER DELETE ON organisation_members FOR EACH ROW EXECUTE FUNCTION organisation_left();

-- As before, and a job's pictures go onto a colleague's public board as well.
CREATE OR REPLACE FUNCTION _queue_record_images(p_job session_queue, p_images jsonb) RETURNS void LANGUAGE sql AS $$
    INSERT INTO images AS i (image_name, user_id, image_origin, image_category, width, height, session_id, node_id,
        item_id, metadata, is_intermediate, has_workflow, workflow, graph, s3_key, s3_thumbnail_key, file_size_bytes,
        kind, duration_seconds, fps)
    SELECT r.image_name, p_job.user_id, r.image_origin, r.image_category, r.width, r.height, r.session_id, r.node_id,
        p_job.item_id, r.metadata, r.is_intermediate, r.workflow IS NOT NULL OR r.graph IS NOT NULL, r.workflow,
        r.graph, r.s3_key, r.s3_thumbnail_key, r.file_size_bytes, coalesce(r.kind, 'image'), r.duration_seconds, r.fps
    FROM jsonb_array_elements(p_images) e, jsonb_populate_record(NULL::images, e - 'board_id') r
    ON CONFLICT (image_name) DO NOTHING;
    INSERT INTO board_images (user_id, image_name, board_id)
    SELECT p_job.user_id, r ->> 'image_name', b.board_id
    FROM jsonb_array_elements(p_images) r
    JOIN boards b ON b.user_id = p_job.user_id AND b.board_id::text = r ->> 'board_id'  -- as text: it may be anything
    FOR KEY SHARE OF b
    ON CONFLICT (user_id, image_name) DO NOTHING;
    INSERT INTO board_images (user_id, image_name, board_id)
    SELECT p_job.user_id, r.image_name, r.board_id
    FROM (SELECT e ->> 'image_name' AS image_name, CASE
              WHEN e ->> 'board_id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (e ->> 'board_id')::uuid
          END AS board_id FROM jsonb_array_elements(p_images) e) r
    WHERE EXISTS (SELECT 1 FROM organisation_members m WHERE m.user_id = p_job.user_id)
      AND _board_is_open(r.board_id, p_job.user_id)
    ON CONFLICT (user_id, image_name) DO NOTHING
$$;

CREATE SCHEMA sharing;

CREATE VIEW sharing.boards WITH (security_barrier) AS
    SELECT b.* FROM public.boards b
    WHERE b.board_visibility IN ('shared', 'public')
      AND b.user_id IN (SELECT p.user_id FROM public.sharing_people() p);
-- Both whose picture it is and whose board it lies on are of the organisation. Intermediate pictures are nobody else's.
CREATE VIEW sharing.images WITH (security_barrier) AS
    SELECT i.* FROM public.images i
    JOIN sharing.boards b ON b.board_id = i.board_id
    WHERE NOT i.is_intermediate AND i.user_id IN (SELECT p.user_id FROM public.sharing_people() p);
-- One's own public ones as well, whoever sees them. When a colleague's was opened is noted by each for themselves.
CREATE VIEW sharing.workflow_library WITH (security_barrier) AS
    SELECT w.workflow_id, w.user_id, w.name, w.description, w.tags, w.workflow, w.workflow_bytes, w.has_return,
        w.is_public, w.thumbnail_key, CASE WHEN w.user_id = public.app_user() THEN w.opened_at ELSE (
            SELECT o.opened_at FROM public.workflow_opened o
            WHERE o.user_id = public.app_user() AND o.workflow_id = w.workflow_id::text) END AS opened_at,
        w.created_at, w.updated_at
    FROM public.workflow_library w
    WHERE w.is_public
      AND (w.user_id = public.app_user() OR w.user_id IN (SELECT p.user_id FROM public.sharing_people() p));
CREATE VIEW sharing.workflow_opened WITH (security_barrier) AS
    SELECT o.* FROM public.workflow_opened o WHERE o.user_id = public.app_user();
CREATE VIEW sharing.style_presets WITH (security_barrier) AS
    SELECT s.* FROM public.style_presets s
    WHERE s.is_public AND s.user_id IN (SELECT p.user_id FROM public.sharing_people() p);
CREATE VIEW sharing.system_prompts WITH (security_barrier) AS
    SELECT s.* FROM public.system_prompts s
    WHERE s.is_public AND s.user_id IN (SELECT p.user_id FROM public.sharing_people() p);

GRANT USAGE ON SCHEMA sharing TO invokeai_api;
GRANT SELECT ON sharing.boards, sharing.images, sharing.workflow_library, sharing.workflow_opened,
    sharing.style_presets, sharing.system_prompts TO invokeai_api;

REVOKE ALL ON FUNCTION app_organisation(), _organisation_shares(uuid), sharing_people(), organisation_names(),
    _board_is_open(uuid, uuid), gallery_place_on_board(), sharing_hold_board(uuid), gallery_close_board(),
    organisation_joined(), organisation_left() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app_organisation(), sharing_people(), organisation_names(), sharing_hold_board(uuid)
    TO invokeai_api;
