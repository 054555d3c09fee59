"""Passkeys and recovery codes in the database.

A passkey enters `core_passkey` only together with an authenticator code proven for exactly that
credential, so the list of public keys can be trusted even if the app role cannot. The signature of
a passkey is checked in Python: the database has no elliptic curves. It checks what it can: that the
challenge is one it made for this person and this content, that it is fresh and used once, that the
browser signed that challenge, that the key is the person's and its counter went up. The proof
keeps what was signed and the public key, so a signature that was never checked is found later.
"""

from typing import Final

TABLES: Final = """
CREATE TABLE core_passkey_challenge (
    challenge bytea PRIMARY KEY CHECK (octet_length(challenge) = 32),
    tenant_id uuid NOT NULL REFERENCES core_tenant (id) DEFERRABLE INITIALLY DEFERRED,
    user_id uuid NOT NULL,
    content_hash text NOT NULL,
    nonce bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    used_at timestamptz,
    CONSTRAINT core_passkey_challenge_user_id_same_tenant FOREIGN KEY (tenant_id, user_id)
        REFERENCES core_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE core_recovery_code (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL REFERENCES core_tenant (id) DEFERRABLE INITIALLY DEFERRED,
    user_id uuid NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    used_at timestamptz,
    CONSTRAINT recovery_code_differs UNIQUE (tenant_id, user_id, digest),
    CONSTRAINT core_recovery_code_user_id_same_tenant FOREIGN KEY (tenant_id, user_id)
        REFERENCES core_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE core_authenticator ADD COLUMN next_secret bytea
    CHECK (octet_length(next_secret) BETWEEN 16 AND 64);
REVOKE ALL ON core_passkey_challenge, core_recovery_code FROM PUBLIC, tms_app;
"""


def _wall(table: str) -> str:
    tenant = "(SELECT NULLIF(current_setting('app.tenant', true), '')::uuid)"
    return f"""
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON {table}
    USING (tenant_id = {tenant}) WITH CHECK (tenant_id = {tenant});
"""


WALLS: Final = _wall("core_passkey_challenge") + _wall("core_recovery_code")

FUNCTIONS: Final = r"""
CREATE OR REPLACE FUNCTION core_hash_of(p_words text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, public, pg_temp AS
$$ SELECT encode(sha256(convert_to(p_words, 'UTF8')), 'hex') $$;

CREATE OR REPLACE FUNCTION core_random(p_bytes integer) RETURNS bytea
LANGUAGE sql VOLATILE SET search_path = pg_catalog, public, pg_temp AS
$$ SELECT substring(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
                    FROM 1 FOR p_bytes) $$;

CREATE OR REPLACE FUNCTION core_base64url(p_text text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, public, pg_temp AS
$$ SELECT decode(rpad(translate(p_text, '-_', '+/'), (length(p_text) + 3) / 4 * 4, '='),
                 'base64') $$;

CREATE OR REPLACE FUNCTION core_passkey_begin(p_user uuid, p_content_hash text) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := core_bound_person(p_user);
    salt bytea := core_random(32);
    made bytea := sha256(salt || convert_to(p_content_hash, 'UTF8'));
BEGIN
    IF wall IS NULL THEN
        RAISE EXCEPTION 'only an active person of the bound tenant has passkeys'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM core_passkey_challenge
     WHERE tenant_id = wall AND user_id = p_user AND made_at < clock_timestamp() - interval '1 day';
    INSERT INTO core_passkey_challenge (challenge, tenant_id, user_id, content_hash, nonce)
    VALUES (made, wall, p_user, p_content_hash, salt);
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION core_passkey_challenge_use(
    p_user uuid, p_client_data text, p_type text, p_content_hash text) RETURNS bytea
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    said jsonb := convert_from(core_base64url(p_client_data), 'UTF8')::jsonb;
    salt bytea;
BEGIN
    IF said ->> 'type' IS DISTINCT FROM p_type THEN RETURN NULL; END IF;
    UPDATE core_passkey_challenge SET used_at = clock_timestamp()
     WHERE challenge = core_base64url(said ->> 'challenge')
       AND tenant_id = core_bound_person(p_user) AND user_id = p_user
       AND content_hash = p_content_hash AND used_at IS NULL
       AND made_at > clock_timestamp() - interval '300 seconds'
    RETURNING nonce INTO salt;
    RETURN salt;
END $$;

CREATE OR REPLACE FUNCTION core_passkey_register(
    p_user uuid, p_step_up uuid, p_client_data text, p_key jsonb) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    made uuid := gen_random_uuid();
    wall uuid := core_bound_person(p_user);
    content text := core_hash_of('passkey ' || (p_key ->> 'credential_id') || ' '
                                 || (p_key ->> 'public_key') || ' of ' || p_user::text);
BEGIN
    IF NOT EXISTS (SELECT FROM core_stepup WHERE id = p_step_up AND method = 'totp')
       OR NOT core_step_up_use(p_step_up, p_user, content)
       OR core_passkey_challenge_use(
            p_user, p_client_data, 'webauthn.create', 'passkey') IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO core_passkey (id, tenant_id, user_id, name, credential_id, public_key, sign_count,
                              registered_with_id, created_at)
    VALUES (made, wall, p_user, p_key ->> 'name', p_key ->> 'credential_id', p_key ->> 'public_key',
            (p_key ->> 'sign_count')::bigint, p_step_up, clock_timestamp());
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION core_passkey_prove(
    p_user uuid, p_credential_id text, p_content_hash text, p_sign_count bigint, p_proof jsonb)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    made uuid := gen_random_uuid();
    wall uuid := core_bound_person(p_user);
    held core_passkey%ROWTYPE;
    salt bytea;
BEGIN
    SELECT * INTO held FROM core_passkey k
     WHERE k.tenant_id = wall AND k.user_id = p_user AND k.credential_id = p_credential_id
       AND k.removed_at IS NULL FOR UPDATE;
    -- A counter that stands still or goes back is a copied key; zero means that it has none.
    IF NOT FOUND OR (p_sign_count <= held.sign_count
                     AND NOT (p_sign_count = 0 AND held.sign_count = 0)) THEN
        RETURN NULL;
    END IF;
    salt := core_passkey_challenge_use(
        p_user, p_proof ->> 'client_data', 'webauthn.get', p_content_hash);
    IF salt IS NULL THEN RETURN NULL; END IF;
    UPDATE core_passkey SET sign_count = p_sign_count, last_used_at = clock_timestamp()
     WHERE id = held.id;
    INSERT INTO core_stepup (id, tenant_id, user_id, method, content_hash, proved_at, proof)
    VALUES (made, wall, p_user, 'passkey', p_content_hash, clock_timestamp(),
            jsonb_build_object(
                'client_data', p_proof ->> 'client_data',
                'authenticator_data', p_proof ->> 'authenticator_data',
                'signature', p_proof ->> 'signature',
                'nonce', encode(salt, 'hex'),
                'credential_id', held.credential_id,
                'public_key', held.public_key));
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION core_recovery_renew(p_user uuid, p_step_up uuid) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := core_bound_person(p_user);
    code text;
BEGIN
    IF NOT core_step_up_use(
            p_step_up, p_user, core_hash_of('recovery codes of ' || p_user::text)) THEN
        RETURN;
    END IF;
    DELETE FROM core_recovery_code WHERE tenant_id = wall AND user_id = p_user;
    FOR _ IN 1 .. 10 LOOP
        code := rtrim(core_base32(core_random(16)), '=');
        INSERT INTO core_recovery_code (tenant_id, user_id, digest)
        VALUES (wall, p_user, sha256(convert_to(code, 'UTF8')));
        RETURN NEXT code;
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION core_recovery_left(p_user uuid) RETURNS integer
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN (SELECT count(*) FROM core_recovery_code
             WHERE tenant_id = nullif(current_setting('app.tenant', true), '')::uuid
               AND user_id = p_user AND used_at IS NULL);
END $$;

CREATE OR REPLACE FUNCTION core_recovery_prove(p_user uuid, p_code text) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    made uuid := gen_random_uuid();
    wall uuid := core_bound_person(p_user);
BEGIN
    UPDATE core_recovery_code SET used_at = clock_timestamp()
     WHERE tenant_id = wall AND user_id = p_user AND used_at IS NULL
       AND digest = sha256(convert_to(p_code, 'UTF8'));
    IF NOT FOUND THEN RETURN NULL; END IF;
    INSERT INTO core_stepup (id, tenant_id, user_id, method, content_hash, proved_at, proof)
    VALUES (made, wall, p_user, 'recovery', '', clock_timestamp(), '{}');
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION core_totp_replace(p_user uuid, p_step_up uuid) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := core_bound_person(p_user);
    seed bytea := core_random(20);
BEGIN
    -- Only what the database itself verified opens this: the old authenticator, a recovery code.
    UPDATE core_stepup SET used_at = clock_timestamp()
     WHERE id = p_step_up AND tenant_id = wall AND user_id = p_user AND used_at IS NULL
       AND proved_at > clock_timestamp() - interval '300 seconds'
       AND (method = 'recovery'
            OR (method = 'totp'
                AND content_hash = core_hash_of('authenticator of ' || p_user::text)));
    IF NOT FOUND THEN RETURN NULL; END IF;
    UPDATE core_authenticator SET next_secret = seed WHERE tenant_id = wall AND user_id = p_user;
    RETURN CASE WHEN FOUND THEN core_base32(seed) END;
END $$;

CREATE OR REPLACE FUNCTION core_totp_replaced(p_user uuid, p_code text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := core_bound_person(p_user);
    present bigint := floor(extract(epoch FROM clock_timestamp()) / 30)::bigint;
    held core_authenticator%ROWTYPE;
BEGIN
    SELECT * INTO held FROM core_authenticator a
     WHERE a.tenant_id = wall AND a.user_id = p_user FOR UPDATE;
    IF held.next_secret IS NULL THEN RETURN false; END IF;
    FOR step IN present - 1 .. present + 1 LOOP
        IF core_hotp(held.next_secret, step) = p_code THEN
            UPDATE core_authenticator
               SET secret = next_secret, next_secret = NULL, last_step = step, failures = 0,
                   recent_failures = '{}', locked_until = NULL, confirmed_at = clock_timestamp()
             WHERE id = held.id;
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

CREATE OR REPLACE FUNCTION core_totp_reset(p_user uuid, p_admin uuid, p_step_up uuid)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := core_bound_person(p_admin);
BEGIN
    IF p_user = p_admin OR wall IS NULL
       OR NOT EXISTS (SELECT FROM core_stepup WHERE id = p_step_up AND method = 'totp')
       OR NOT EXISTS (SELECT FROM core_user_groups m JOIN auth_group g ON g.id = m.group_id
                       WHERE m.user_id = p_admin AND g.name = 'tenant_admin')
       OR NOT core_step_up_use(
            p_step_up, p_admin, core_hash_of('reset of ' || p_user::text)) THEN
        RETURN false;
    END IF;
    DELETE FROM core_authenticator WHERE tenant_id = wall AND user_id = p_user;
    DELETE FROM core_recovery_code WHERE tenant_id = wall AND user_id = p_user;
    UPDATE core_passkey SET removed_at = clock_timestamp()
     WHERE tenant_id = wall AND user_id = p_user AND removed_at IS NULL;
    -- Whoever holds the lost telephone may be signed in: that ends too.
    UPDATE core_personsession SET ended_at = clock_timestamp()
     WHERE tenant_id = wall AND user_id = p_user AND ended_at IS NULL;
    RETURN true;
END $$;

CREATE OR REPLACE FUNCTION core_passkey_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.removed_at IS NOT NULL OR NEW.sign_count < OLD.sign_count
       OR to_jsonb(NEW) - ARRAY['name', 'removed_at', 'sign_count', 'last_used_at']
          IS DISTINCT FROM to_jsonb(OLD) - ARRAY['name', 'removed_at', 'sign_count', 'last_used_at']
    THEN
        RAISE EXCEPTION '% on core_passkey is refused: a key is named, counted, removed once', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS passkey_guard ON core_passkey;
CREATE TRIGGER passkey_guard BEFORE UPDATE OR DELETE ON core_passkey
    FOR EACH ROW EXECUTE FUNCTION core_passkey_guard();
"""

_INNER: Final = (
    "core_hash_of(text)",
    "core_random(integer)",
    "core_base64url(text)",
    "core_passkey_challenge_use(uuid, text, text, text)",
)
_FOR_THE_APP: Final = (
    "core_passkey_begin(uuid, text)",
    "core_passkey_register(uuid, uuid, text, jsonb)",
    "core_passkey_prove(uuid, text, text, bigint, jsonb)",
    "core_recovery_renew(uuid, uuid)",
    "core_recovery_left(uuid)",
    "core_recovery_prove(uuid, text)",
    "core_totp_replace(uuid, uuid)",
    "core_totp_replaced(uuid, text)",
    "core_totp_reset(uuid, uuid, uuid)",
)
RIGHTS: Final = f"""
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON core_passkey FROM tms_app;
GRANT UPDATE (name, removed_at) ON core_passkey TO tms_app;
REVOKE EXECUTE ON FUNCTION {", ".join((*_INNER, *_FOR_THE_APP))} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {", ".join(_FOR_THE_APP)} TO tms_app;
"""
