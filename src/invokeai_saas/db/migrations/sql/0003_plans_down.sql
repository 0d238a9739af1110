DELETE FROM subscription_plans;
DELETE FROM gpu_tiers;
