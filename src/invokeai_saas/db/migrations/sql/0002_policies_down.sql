DO $$
DECLARE
    v record;
BEGIN
    FOR v IN SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public' LOOP
        EXECUTE format('DROP POLICY %I ON %I', v.policyname, v.tablename);
        EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', v.tablename);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', v.tablename);
    END LOOP;
    FOR v IN
        SELECT tgname, tgrelid::regclass AS relation FROM pg_trigger
        WHERE NOT tgisinternal AND tgname IN ('touch_updated_at', 'append_only')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', v.tgname, v.relation);
    END LOOP;
END $$;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM invokeai_api, invokeai_auth, invokeai_worker;
REVOKE USAGE ON SCHEMA public FROM invokeai_api, invokeai_auth, invokeai_worker;
DROP FUNCTION app_user, touch_updated_at, refuse_change;
