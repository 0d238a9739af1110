DROP FUNCTION watching_trace(uuid), watching_business(), watching_queue();
ALTER TABLE job_batches DROP COLUMN trace;
CREATE OR REPLACE FUNCTION _figures_check() RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF session_user <> 'invokeai_owner' AND NOT staff_present() THEN
        RAISE EXCEPTION 'nobody is at work' USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;
