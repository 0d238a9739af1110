-- Every table of the first release, as the domains' tables.py describe them.

CREATE TABLE gpu_tiers (
    tier VARCHAR(30) NOT NULL,
    gpu VARCHAR(30) NOT NULL,
    instance_type VARCHAR(30) NOT NULL,
    gpus_per_instance INTEGER NOT NULL,
    vram_gb INTEGER NOT NULL,
    usd_per_hour NUMERIC(10, 4) NOT NULL,
    credits_per_second NUMERIC(6, 3) DEFAULT '1' NOT NULL,
    virtual_clock DOUBLE PRECISION DEFAULT '0' NOT NULL,
    CONSTRAINT pk_gpu_tiers PRIMARY KEY (tier)
);
CREATE TABLE gpu_workers (
    id VARCHAR(100) NOT NULL,
    tiers VARCHAR(30)[] NOT NULL,
    engine VARCHAR(30) NOT NULL,
    loaded_models TEXT[] DEFAULT '{}' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_gpu_workers PRIMARY KEY (id)
);
CREATE TABLE users (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    email VARCHAR(255) NOT NULL,
    name VARCHAR(100) NOT NULL,
    cognito_sub VARCHAR(255) NOT NULL,
    avatar_url TEXT,
    role VARCHAR(20) DEFAULT 'user' NOT NULL,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_login_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT ck_users_role CHECK (role IN ('user', 'admin')),
    CONSTRAINT uq_users_email UNIQUE (email),
    CONSTRAINT uq_users_cognito_sub UNIQUE (cognito_sub)
);
CREATE TABLE auth_sessions (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    refresh_hash BYTEA NOT NULL,
    previous_refresh_hash BYTEA,
    rotated_at TIMESTAMP WITH TIME ZONE,
    persistent BOOLEAN DEFAULT false NOT NULL,
    user_agent VARCHAR(255),
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_auth_sessions PRIMARY KEY (id),
    CONSTRAINT fk_auth_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT uq_auth_sessions_refresh_hash UNIQUE (refresh_hash),
    CONSTRAINT uq_auth_sessions_previous_refresh_hash UNIQUE (previous_refresh_hash)
);
CREATE INDEX ix_auth_sessions_user_id ON auth_sessions (user_id);
CREATE TABLE boards (
    board_id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    board_name TEXT NOT NULL,
    cover_image_name VARCHAR(255),
    board_visibility VARCHAR(20) DEFAULT 'private' NOT NULL,
    archived BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_boards PRIMARY KEY (board_id),
    CONSTRAINT ck_boards_visibility CHECK (board_visibility IN ('private', 'shared', 'public')),
    CONSTRAINT uq_boards_user_id_board_id UNIQUE (user_id, board_id),
    CONSTRAINT fk_boards_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_boards_user_id_created_at ON boards (user_id, created_at);
CREATE TABLE client_state (
    user_id UUID NOT NULL,
    key VARCHAR(255) NOT NULL,
    value TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_client_state PRIMARY KEY (user_id, key),
    CONSTRAINT fk_client_state_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE credit_accounts (
    user_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_credit_accounts PRIMARY KEY (user_id),
    CONSTRAINT fk_credit_accounts_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE RESTRICT
);
CREATE TABLE credit_reservations (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    item_id BIGINT NOT NULL,
    amount INTEGER NOT NULL,
    status VARCHAR(10) DEFAULT 'held' NOT NULL,
    deadline TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    resolved_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_credit_reservations PRIMARY KEY (id),
    CONSTRAINT ck_credit_reservations_amount CHECK (amount > 0),
    CONSTRAINT ck_credit_reservations_status CHECK (status IN ('held', 'settled', 'released')),
    CONSTRAINT ck_credit_reservations_resolved CHECK ((status = 'held') = (resolved_at IS NULL)),
    CONSTRAINT uq_credit_reservations_user_id_id UNIQUE (user_id, id),
    CONSTRAINT uq_credit_reservations_item_id UNIQUE (item_id),
    CONSTRAINT fk_credit_reservations_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE RESTRICT
);
CREATE INDEX ix_credit_reservations_deadline ON credit_reservations (deadline) WHERE status = 'held';
CREATE INDEX ix_credit_reservations_user_id ON credit_reservations (user_id);
CREATE TABLE credit_transactions (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    amount INTEGER NOT NULL,
    transaction_type VARCHAR(30) NOT NULL,
    description TEXT NOT NULL,
    reference_id VARCHAR(255) NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_credit_transactions PRIMARY KEY (id),
    CONSTRAINT ck_credit_transactions_amount CHECK (amount <> 0),
    CONSTRAINT ck_credit_transactions_type CHECK (transaction_type IN ('grant', 'settlement', 'expiry', 'refund', 'adjustment')),
    CONSTRAINT uq_credit_transactions_user_id_transaction_type_reference_id UNIQUE (user_id, transaction_type, reference_id),
    CONSTRAINT uq_credit_transactions_user_id_id UNIQUE (user_id, id),
    CONSTRAINT fk_credit_transactions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE RESTRICT
);
CREATE INDEX ix_credit_transactions_user_id_created_at ON credit_transactions (user_id, created_at);
CREATE TABLE credits (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    total_credits INTEGER NOT NULL,
    used_credits INTEGER DEFAULT '0' NOT NULL,
    reserved_credits INTEGER DEFAULT '0' NOT NULL,
    expired_credits INTEGER DEFAULT '0' NOT NULL,
    source VARCHAR(30) NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_until TIMESTAMP WITH TIME ZONE NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_credits PRIMARY KEY (id),
    CONSTRAINT ck_credits_total CHECK (total_credits > 0),
    CONSTRAINT ck_credits_parts CHECK (used_credits >= 0 AND reserved_credits >= 0 AND expired_credits >= 0),
    CONSTRAINT ck_credits_sum CHECK (used_credits + reserved_credits + expired_credits <= total_credits),
    CONSTRAINT ck_credits_period CHECK (valid_from < valid_until),
    CONSTRAINT uq_credits_user_id_id UNIQUE (user_id, id),
    CONSTRAINT fk_credits_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE RESTRICT
);
CREATE INDEX ix_credits_user_id_valid_until ON credits (user_id, valid_until);
CREATE TABLE images (
    image_name VARCHAR(255) NOT NULL,
    user_id UUID NOT NULL,
    image_origin VARCHAR(50) NOT NULL,
    image_category VARCHAR(50) NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    session_id VARCHAR(255),
    node_id VARCHAR(255),
    item_id BIGINT,
    metadata JSONB,
    is_intermediate BOOLEAN DEFAULT false NOT NULL,
    starred BOOLEAN DEFAULT false NOT NULL,
    has_workflow BOOLEAN DEFAULT false NOT NULL,
    workflow JSONB,
    graph JSONB,
    s3_key VARCHAR(512) NOT NULL,
    s3_thumbnail_key VARCHAR(512) NOT NULL,
    file_size_bytes BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_images PRIMARY KEY (image_name),
    CONSTRAINT ck_images_size CHECK (width > 0 AND height > 0),
    CONSTRAINT uq_images_user_id_image_name UNIQUE (user_id, image_name),
    CONSTRAINT fk_images_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_images_gallery ON images (user_id, starred DESC, created_at DESC, image_name DESC) INCLUDE (image_category) WHERE NOT is_intermediate;
CREATE INDEX ix_images_user_id_item_id ON images (user_id, item_id);
CREATE TABLE job_batches (
    user_id UUID NOT NULL,
    batch_id UUID NOT NULL,
    queue_id VARCHAR(64) DEFAULT 'default' NOT NULL,
    graph JSONB NOT NULL,
    workflow JSONB,
    origin TEXT,
    destination TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_job_batches PRIMARY KEY (user_id, batch_id),
    CONSTRAINT fk_job_batches_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE local_credentials (
    user_id UUID NOT NULL,
    password_hash TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_local_credentials PRIMARY KEY (user_id),
    CONSTRAINT fk_local_credentials_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE TABLE models (
    key VARCHAR(64) NOT NULL,
    user_id UUID,
    name TEXT NOT NULL,
    base VARCHAR(50) NOT NULL,
    type VARCHAR(50) NOT NULL,
    format VARCHAR(50) NOT NULL,
    path TEXT NOT NULL,
    hash TEXT NOT NULL,
    file_size BIGINT NOT NULL,
    record JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_models PRIMARY KEY (key),
    CONSTRAINT fk_models_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uq_models_owner_path ON models (user_id, path) NULLS NOT DISTINCT;
CREATE TABLE queue_lanes (
    tier VARCHAR(30) NOT NULL,
    user_id UUID NOT NULL,
    pending INTEGER DEFAULT '0' NOT NULL,
    running INTEGER DEFAULT '0' NOT NULL,
    max_running INTEGER,
    weight DOUBLE PRECISION DEFAULT '1' NOT NULL,
    virtual_time DOUBLE PRECISION DEFAULT '0' NOT NULL,
    passed_over INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_queue_lanes PRIMARY KEY (tier, user_id),
    CONSTRAINT ck_queue_lanes_counts CHECK (pending >= 0 AND running >= 0),
    CONSTRAINT fk_queue_lanes_tier FOREIGN KEY(tier) REFERENCES gpu_tiers (tier) ON DELETE RESTRICT,
    CONSTRAINT fk_queue_lanes_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX ix_queue_lanes_active ON queue_lanes (tier, virtual_time) WHERE pending > 0 OR running > 0;
CREATE INDEX ix_queue_lanes_clock ON queue_lanes (tier, virtual_time);
CREATE INDEX ix_queue_lanes_user_id ON queue_lanes (user_id);
CREATE TABLE subscription_plans (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    name VARCHAR(50) NOT NULL,
    slug VARCHAR(50) NOT NULL,
    plan_type VARCHAR(20) DEFAULT 'paid' NOT NULL,
    monthly_price NUMERIC(10, 2),
    annual_price NUMERIC(10, 2),
    monthly_credits INTEGER,
    gpu_tier VARCHAR(30) NOT NULL,
    max_queues INTEGER,
    max_storage_gb INTEGER,
    model_access VARCHAR(30)[] NOT NULL,
    third_party_api_access BOOLEAN DEFAULT false NOT NULL,
    lora_training BOOLEAN DEFAULT false NOT NULL,
    collaboration BOOLEAN DEFAULT false NOT NULL,
    node_editor_access BOOLEAN DEFAULT false NOT NULL,
    api_access BOOLEAN DEFAULT false NOT NULL,
    features JSONB DEFAULT '{}'::jsonb NOT NULL,
    trial_days INTEGER,
    is_active BOOLEAN DEFAULT true NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_subscription_plans PRIMARY KEY (id),
    CONSTRAINT ck_subscription_plans_plan_type CHECK (plan_type IN ('trial', 'paid', 'internal')),
    CONSTRAINT uq_subscription_plans_slug UNIQUE (slug),
    CONSTRAINT fk_subscription_plans_gpu_tier FOREIGN KEY(gpu_tier) REFERENCES gpu_tiers (tier) ON DELETE RESTRICT
);
CREATE TABLE usage_records (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    job_id VARCHAR(255) NOT NULL,
    action_type VARCHAR(30) NOT NULL,
    model_used VARCHAR(255) NOT NULL,
    gpu_tier VARCHAR(30) NOT NULL,
    steps INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    batch_size INTEGER NOT NULL,
    compute_seconds NUMERIC(12, 3) NOT NULL,
    credits_consumed INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_usage_records PRIMARY KEY (id),
    CONSTRAINT ck_usage_records_figures CHECK (compute_seconds >= 0 AND credits_consumed >= 0),
    CONSTRAINT uq_usage_records_user_id_job_id UNIQUE (user_id, job_id),
    CONSTRAINT fk_usage_records_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE RESTRICT
);
CREATE INDEX ix_usage_records_user_id_created_at ON usage_records (user_id, created_at);
CREATE TABLE board_images (
    user_id UUID NOT NULL,
    image_name VARCHAR(255) NOT NULL,
    board_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_board_images PRIMARY KEY (user_id, image_name),
    CONSTRAINT fk_board_images_user_id_board_id FOREIGN KEY(user_id, board_id) REFERENCES boards (user_id, board_id) ON DELETE CASCADE,
    CONSTRAINT fk_board_images_user_id_image_name FOREIGN KEY(user_id, image_name) REFERENCES images (user_id, image_name) ON DELETE CASCADE
);
CREATE INDEX ix_board_images_user_id_board_id ON board_images (user_id, board_id);
CREATE TABLE credit_allocations (
    user_id UUID NOT NULL,
    transaction_id UUID NOT NULL,
    credit_id UUID NOT NULL,
    amount INTEGER NOT NULL,
    CONSTRAINT pk_credit_allocations PRIMARY KEY (transaction_id, credit_id),
    CONSTRAINT ck_credit_allocations_amount CHECK (amount <> 0),
    CONSTRAINT fk_credit_allocations_user_id_transaction_id FOREIGN KEY(user_id, transaction_id) REFERENCES credit_transactions (user_id, id) ON DELETE RESTRICT,
    CONSTRAINT fk_credit_allocations_user_id_credit_id FOREIGN KEY(user_id, credit_id) REFERENCES credits (user_id, id) ON DELETE RESTRICT
);
CREATE INDEX ix_credit_allocations_user_id_credit_id ON credit_allocations (user_id, credit_id);
CREATE TABLE credit_holds (
    user_id UUID NOT NULL,
    reservation_id UUID NOT NULL,
    credit_id UUID NOT NULL,
    amount INTEGER NOT NULL,
    CONSTRAINT pk_credit_holds PRIMARY KEY (reservation_id, credit_id),
    CONSTRAINT ck_credit_holds_amount CHECK (amount > 0),
    CONSTRAINT fk_credit_holds_user_id_reservation_id FOREIGN KEY(user_id, reservation_id) REFERENCES credit_reservations (user_id, id) ON DELETE RESTRICT,
    CONSTRAINT fk_credit_holds_user_id_credit_id FOREIGN KEY(user_id, credit_id) REFERENCES credits (user_id, id) ON DELETE RESTRICT
);
CREATE INDEX ix_credit_holds_user_id_credit_id ON credit_holds (user_id, credit_id);
CREATE TABLE session_queue (
    item_id BIGINT NOT NULL,
    user_id UUID NOT NULL,
    batch_id UUID NOT NULL,
    session_id UUID NOT NULL,
    tier VARCHAR(30) NOT NULL,
    status VARCHAR(20) DEFAULT 'pending' NOT NULL,
    status_sequence INTEGER DEFAULT '0' NOT NULL,
    priority INTEGER DEFAULT '0' NOT NULL,
    position BIGINT GENERATED ALWAYS AS IDENTITY,
    field_values JSONB,
    model_keys TEXT[] DEFAULT '{}' NOT NULL,
    model_name TEXT DEFAULT '' NOT NULL,
    steps INTEGER DEFAULT '0' NOT NULL,
    width INTEGER DEFAULT '0' NOT NULL,
    height INTEGER DEFAULT '0' NOT NULL,
    estimate INTEGER NOT NULL,
    name_key BYTEA NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    current_attempt UUID,
    cancel_requested BOOLEAN DEFAULT false NOT NULL,
    retried_from_item_id BIGINT,
    error_type TEXT,
    error_message TEXT,
    error_traceback TEXT,
    session JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE,
    started_at TIMESTAMP WITH TIME ZONE,
    completed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_session_queue PRIMARY KEY (item_id),
    CONSTRAINT ck_session_queue_status CHECK (status IN ('pending', 'in_progress', 'completed', 'failed', 'canceled')),
    CONSTRAINT ck_session_queue_attempt CHECK ((status = 'in_progress') = (current_attempt IS NOT NULL)),
    CONSTRAINT fk_session_queue_user_id_batch_id FOREIGN KEY(user_id, batch_id) REFERENCES job_batches (user_id, batch_id) ON DELETE CASCADE,
    CONSTRAINT uq_session_queue_user_id_item_id UNIQUE (user_id, item_id),
    CONSTRAINT fk_session_queue_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_session_queue_tier FOREIGN KEY(tier) REFERENCES gpu_tiers (tier) ON DELETE RESTRICT
);
CREATE INDEX ix_session_queue_claim ON session_queue (tier, user_id, priority DESC, position) WHERE status = 'pending';
CREATE INDEX ix_session_queue_user_id_batch_id ON session_queue (user_id, batch_id);
CREATE INDEX ix_session_queue_user_id_status ON session_queue (user_id, status);
CREATE INDEX ix_session_queue_user_id_position ON session_queue (user_id, position);
CREATE TABLE user_subscriptions (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    stripe_subscription_id VARCHAR(255),
    stripe_customer_id VARCHAR(255),
    status VARCHAR(20) DEFAULT 'active' NOT NULL,
    current_period_start TIMESTAMP WITH TIME ZONE NOT NULL,
    current_period_end TIMESTAMP WITH TIME ZONE NOT NULL,
    trial_end TIMESTAMP WITH TIME ZONE,
    cancel_at_period_end BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_user_subscriptions PRIMARY KEY (id),
    CONSTRAINT ck_user_subscriptions_status CHECK (status IN ('trialing', 'active', 'past_due', 'canceled', 'expired')),
    CONSTRAINT ck_user_subscriptions_period CHECK (current_period_start < current_period_end),
    CONSTRAINT fk_user_subscriptions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_user_subscriptions_plan_id FOREIGN KEY(plan_id) REFERENCES subscription_plans (id) ON DELETE RESTRICT,
    CONSTRAINT uq_user_subscriptions_stripe_subscription_id UNIQUE (stripe_subscription_id)
);
CREATE INDEX ix_user_subscriptions_user_id ON user_subscriptions (user_id);
CREATE UNIQUE INDEX uq_user_subscriptions_live ON user_subscriptions (user_id) WHERE status IN ('trialing', 'active', 'past_due');
CREATE TABLE job_attempts (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    user_id UUID NOT NULL,
    item_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    worker_id VARCHAR(100) NOT NULL,
    lane_charge DOUBLE PRECISION NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    outcome VARCHAR(20),
    gpu_seconds NUMERIC(12, 3),
    CONSTRAINT pk_job_attempts PRIMARY KEY (id),
    CONSTRAINT fk_job_attempts_user_id_item_id FOREIGN KEY(user_id, item_id) REFERENCES session_queue (user_id, item_id) ON DELETE CASCADE,
    CONSTRAINT uq_job_attempts_item_id_number UNIQUE (item_id, number)
);
CREATE INDEX ix_job_attempts_lease ON job_attempts (lease_until) WHERE outcome IS NULL;
CREATE INDEX ix_job_attempts_user_id_item_id ON job_attempts (user_id, item_id);
