-- What InvokeAI's page keeps for a person: workflows, style presets, system prompts.
--
-- What InvokeAI ships of these is no row here: it is read from files and the same for everybody. workflow_opened holds
-- which of the shipped workflows a person has opened, and when.

CREATE TABLE workflow_library (
    workflow_id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    workflow TEXT NOT NULL,
    workflow_bytes INTEGER NOT NULL,
    has_return BOOLEAN NOT NULL,
    is_public BOOLEAN DEFAULT false NOT NULL,
    thumbnail_key VARCHAR(512),
    opened_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_workflow_library PRIMARY KEY (workflow_id),
    CONSTRAINT fk_workflow_library_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_workflow_library_user_id ON workflow_library (user_id);

CREATE TABLE workflow_opened (
    user_id UUID NOT NULL,
    workflow_id VARCHAR(255) NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_workflow_opened PRIMARY KEY (user_id, workflow_id),
    CONSTRAINT fk_workflow_opened_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE TABLE style_presets (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    name TEXT NOT NULL,
    positive_prompt TEXT NOT NULL,
    negative_prompt TEXT NOT NULL,
    is_public BOOLEAN DEFAULT false NOT NULL,
    image_key VARCHAR(512),
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_style_presets PRIMARY KEY (id),
    CONSTRAINT fk_style_presets_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_style_presets_user_id ON style_presets (user_id);

CREATE TABLE system_prompts (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    is_public BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_system_prompts PRIMARY KEY (id),
    CONSTRAINT fk_system_prompts_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_system_prompts_user_id ON system_prompts (user_id);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['workflow_library', 'workflow_opened', 'style_presets', 'system_prompts'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_all ON %I TO invokeai_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO invokeai_api USING (user_id = app_user()) WITH CHECK (user_id = app_user())', t);
    END LOOP;
END $$;

-- Opening a workflow, or giving it a picture, is no change of it.
CREATE TRIGGER touch_updated_at BEFORE UPDATE OF workflow, is_public ON workflow_library
    FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON style_presets FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER touch_updated_at BEFORE UPDATE ON system_prompts FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

GRANT SELECT, DELETE ON workflow_library, style_presets, system_prompts TO invokeai_api;
GRANT INSERT (user_id, name, description, tags, workflow, workflow_bytes, has_return),
    UPDATE (name, description, tags, workflow, workflow_bytes, has_return, is_public, thumbnail_key, opened_at)
    ON workflow_library TO invokeai_api;
GRANT SELECT, INSERT (user_id, workflow_id), UPDATE (opened_at) ON workflow_opened TO invokeai_api;
GRANT INSERT (user_id, name, positive_prompt, negative_prompt, is_public, image_key),
    UPDATE (name, positive_prompt, negative_prompt, is_public, image_key) ON style_presets TO invokeai_api;
GRANT INSERT (user_id, name, content), UPDATE (name, content, is_public) ON system_prompts TO invokeai_api;
