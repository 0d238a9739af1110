DROP FUNCTION _credits_lock, _credits_available, credits_grant, _credits_draw, _credits_reserve, _credits_extend,
    _credits_settle, credits_expire, billing_start_trial;
