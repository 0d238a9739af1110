-- The plans as they are first sold. They are rows: an admin edits them, and no code knows their figures.

INSERT INTO gpu_tiers (tier, gpu, instance_type, gpus_per_instance, vram_gb, usd_per_hour) VALUES
    ('basic', 'T4', 'g4dn.xlarge', 1, 16, 0.526),
    ('high_performance', 'A10G', 'g5.xlarge', 1, 24, 1.006),
    ('dedicated', 'A100', 'p4d.24xlarge', 8, 40, 32.77);

-- A year costs ten months; credits are still granted monthly. NULL is custom or unlimited.
INSERT INTO subscription_plans
    (name, slug, plan_type, monthly_price, annual_price, monthly_credits, gpu_tier, max_queues, max_storage_gb,
     model_access, third_party_api_access, lora_training, collaboration, node_editor_access, api_access, trial_days)
VALUES
    ('Trial', 'trial', 'trial', 0, NULL, 500, 'basic', 1, 20, '{sd}', false, false, false, true, false, 7),
    ('Starter', 'starter', 'paid', 25, 250, 5000, 'basic', 1, 20, '{sd}', false, false, false, true, false, NULL),
    ('Pro', 'pro', 'paid', 75, 750, 15000, 'high_performance', 1, 100, '{sd,flux}', true, false, false, true, true, NULL),
    ('Studio', 'studio', 'paid', 150, 1500, 30000, 'high_performance', 3, 200, '{sd,flux}', true, false, false, true, true, NULL),
    ('Enterprise', 'enterprise', 'paid', NULL, NULL, NULL, 'dedicated', NULL, NULL, '{sd,flux,custom}', true, true, true, true, true, NULL),
    ('Tester', 'tester', 'internal', 0, NULL, 50000, 'basic', 1, 20, '{sd,flux}', true, false, false, true, true, NULL);
