"""What the guards of changes ask: whether exactly this change was approved, as what it is."""

APPROVED = """
CREATE OR REPLACE FUNCTION core_change_is_approved(p_change uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT EXISTS (
        SELECT 1 FROM core_changerequest c
          JOIN approvals_approvalrequest q
            ON q.subject_type = 'core.change' AND q.subject_id = c.id AND q.action = c.action
         WHERE c.id = p_change
           AND approvals_is_approved('core.change', c.id, 1, core_change_content(c.id)))
$$;
"""
