"""The second factor in the database: what the app role's own SQL cannot forge.

The seeds of authenticators live in `core_authenticator`, a table that only the migrating role can
read. The functions below are SECURITY DEFINER: they compute the code from the seed (HOTP of
RFC 4226 over HMAC-SHA1, time steps of RFC 6238) and write a row of `core_stepup` when it fits.
Whoever holds the app role's password can ask these functions, but cannot answer them.
"""

from typing import Final

# FIPS 180-4, RFC 2104, RFC 4226 and the base32 of RFC 4648: pure functions of their arguments.
CODES: Final = r"""
CREATE OR REPLACE FUNCTION core_sha1(p_message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    mask constant bigint := 4294967295;
    padded bytea;
    w bigint[] := array_fill(0::bigint, ARRAY[80], ARRAY[0]);
    h0 bigint := 1732584193;
    h1 bigint := 4023233417;
    h2 bigint := 2562383102;
    h3 bigint := 271733878;
    h4 bigint := 3285377520;
    a bigint; b bigint; c bigint; d bigint; e bigint; f bigint; k bigint; t bigint;
    start integer;
BEGIN
    padded := p_message || '\x80'::bytea
        || decode(repeat('00', (119 - length(p_message) % 64) % 64), 'hex')
        || int8send(length(p_message)::bigint * 8);
    FOR block IN 0 .. length(padded) / 64 - 1 LOOP
        FOR i IN 0 .. 15 LOOP
            start := block * 64 + i * 4;
            w[i] := (get_byte(padded, start)::bigint << 24)
                  | (get_byte(padded, start + 1)::bigint << 16)
                  | (get_byte(padded, start + 2)::bigint << 8)
                  | get_byte(padded, start + 3)::bigint;
        END LOOP;
        FOR i IN 16 .. 79 LOOP
            t := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
            w[i] := ((t << 1) | (t >> 31)) & mask;
        END LOOP;
        a := h0; b := h1; c := h2; d := h3; e := h4;
        FOR i IN 0 .. 79 LOOP
            IF i < 20 THEN
                f := (b & c) | ((b # mask) & d); k := 1518500249;
            ELSIF i < 40 THEN
                f := b # c # d; k := 1859775393;
            ELSIF i < 60 THEN
                f := (b & c) | (b & d) | (c & d); k := 2400959708;
            ELSE
                f := b # c # d; k := 3395469782;
            END IF;
            t := ((((a << 5) | (a >> 27)) & mask) + f + e + k + w[i]) & mask;
            e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := t;
        END LOOP;
        h0 := (h0 + a) & mask; h1 := (h1 + b) & mask; h2 := (h2 + c) & mask;
        h3 := (h3 + d) & mask; h4 := (h4 + e) & mask;
    END LOOP;
    RETURN decode(lpad(to_hex(h0), 8, '0') || lpad(to_hex(h1), 8, '0') || lpad(to_hex(h2), 8, '0')
        || lpad(to_hex(h3), 8, '0') || lpad(to_hex(h4), 8, '0'), 'hex');
END $$;

CREATE OR REPLACE FUNCTION core_hmac_sha1(p_key bytea, p_message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    key bytea := CASE WHEN length(p_key) > 64 THEN public.core_sha1(p_key) ELSE p_key END;
    inner_pad bytea;
    outer_pad bytea;
BEGIN
    key := key || decode(repeat('00', 64 - length(key)), 'hex');
    inner_pad := key;
    outer_pad := key;
    FOR i IN 0 .. 63 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(key, i) # 54);
        outer_pad := set_byte(outer_pad, i, get_byte(key, i) # 92);
    END LOOP;
    RETURN public.core_sha1(outer_pad || public.core_sha1(inner_pad || p_message));
END $$;

CREATE OR REPLACE FUNCTION core_hotp(p_secret bytea, p_counter bigint, p_digits integer DEFAULT 6)
RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    mac bytea := public.core_hmac_sha1(p_secret, int8send(p_counter));
    start integer := get_byte(mac, 19) & 15;
    number bigint;
BEGIN
    number := ((get_byte(mac, start) & 127)::bigint << 24)
            | (get_byte(mac, start + 1)::bigint << 16)
            | (get_byte(mac, start + 2)::bigint << 8)
            | get_byte(mac, start + 3)::bigint;
    RETURN lpad((number % (10 ^ p_digits)::bigint)::text, p_digits, '0');
END $$;

CREATE OR REPLACE FUNCTION core_base32(p_bytes bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    alphabet constant text := 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
    held bigint := 0;
    bits integer := 0;
    written text := '';
BEGIN
    FOR i IN 0 .. length(p_bytes) - 1 LOOP
        held := (held << 8) | get_byte(p_bytes, i);
        bits := bits + 8;
        WHILE bits >= 5 LOOP
            bits := bits - 5;
            written := written || substr(alphabet, ((held >> bits) & 31)::integer + 1, 1);
            held := held & ((1::bigint << bits) - 1);
        END LOOP;
    END LOOP;
    IF bits > 0 THEN
        written := written || substr(alphabet, ((held << (5 - bits)) & 31)::integer + 1, 1);
    END IF;
    RETURN rpad(written, (length(written) + 7) / 8 * 8, '=');
END $$;
"""

AUTHENTICATORS: Final = """
CREATE TABLE core_authenticator (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id uuid NOT NULL REFERENCES core_tenant (id) DEFERRABLE INITIALLY DEFERRED,
    user_id uuid NOT NULL,
    secret bytea NOT NULL,
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    recent_failures uuid[] NOT NULL DEFAULT '{}',
    locked_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT authenticator_one_per_person UNIQUE (tenant_id, user_id),
    CONSTRAINT authenticator_seed_is_long CHECK (octet_length(secret) BETWEEN 16 AND 64),
    CONSTRAINT core_authenticator_user_id_same_tenant FOREIGN KEY (tenant_id, user_id)
        REFERENCES core_user (tenant_id, id) DEFERRABLE INITIALLY DEFERRED
);
REVOKE ALL ON core_authenticator FROM PUBLIC, tms_app;
"""

# Before the wall stands: rows of every tenant move at once. The old copies do not stay readable.
MOVE_AUTHENTICATORS: Final = """
INSERT INTO core_authenticator (tenant_id, user_id, secret, confirmed_at, last_step)
SELECT DISTINCT ON (u.tenant_id, u.id)
       u.tenant_id, u.id, decode(d.key, 'hex'), clock_timestamp(), greatest(d.last_t, 0)
  FROM otp_totp_totpdevice d JOIN core_user u ON u.id = d.user_id
 WHERE d.confirmed AND d.step = 30 AND d.digits = 6 AND d.t0 = 0
   AND length(d.key) BETWEEN 32 AND 128
 ORDER BY u.tenant_id, u.id, d.id;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE otp_totp_totpdevice DISABLE TRIGGER audited;
DELETE FROM otp_static_statictoken;
DELETE FROM otp_static_staticdevice;
DELETE FROM otp_totp_totpdevice;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE otp_totp_totpdevice ENABLE TRIGGER audited;
REVOKE ALL ON otp_totp_totpdevice, otp_static_staticdevice, otp_static_statictoken FROM tms_app;
"""

WALL_AROUND_AUTHENTICATORS: Final = """
ALTER TABLE core_authenticator ENABLE ROW LEVEL SECURITY;
ALTER TABLE core_authenticator FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_wall ON core_authenticator
    USING (tenant_id = (SELECT NULLIF(current_setting('app.tenant', true), '')::uuid))
    WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('app.tenant', true), '')::uuid));
"""

STEP_UPS: Final = """
CREATE OR REPLACE FUNCTION core_bound_person(p_user uuid) RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := nullif(current_setting('app.tenant', true), '')::uuid;
BEGIN
    -- The tenant when p_user is an active person in it. The owner sees every tenant's people, so
    -- the tenant is asked for here.
    PERFORM 1 FROM core_user
      WHERE id = p_user AND tenant_id = wall AND is_active AND NOT is_service;
    RETURN CASE WHEN FOUND THEN wall END;
END $$;

CREATE OR REPLACE FUNCTION core_totp_exists(p_user uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := nullif(current_setting('app.tenant', true), '')::uuid;
BEGIN
    RETURN EXISTS (SELECT FROM core_authenticator a
                    WHERE a.tenant_id = wall AND a.user_id = p_user
                      AND a.confirmed_at IS NOT NULL);
END $$;

CREATE OR REPLACE FUNCTION core_totp_enrol(
    p_user uuid, p_secret bytea DEFAULT NULL, p_handed_out boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := core_bound_person(p_user);
    seed bytea := coalesce(p_secret, substring(sha256(
        uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) FROM 1 FOR 20));
BEGIN
    IF wall IS NULL THEN
        RAISE EXCEPTION 'only an active person of the bound tenant has an authenticator'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO core_authenticator AS a (tenant_id, user_id, secret, confirmed_at)
    VALUES (wall, p_user, seed, CASE WHEN p_handed_out THEN clock_timestamp() END)
    ON CONFLICT ON CONSTRAINT authenticator_one_per_person DO UPDATE
       SET secret = excluded.secret, confirmed_at = excluded.confirmed_at, last_step = 0,
           created_at = clock_timestamp()
     WHERE a.confirmed_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this person has a confirmed authenticator'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN core_base32(seed);
END $$;

CREATE OR REPLACE FUNCTION core_totp_miss(p_user uuid, p_attempt uuid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- Five wrong codes in a row lock for a minute, five more for two, four, ... up to an hour.
    UPDATE core_authenticator a
       SET failures = a.failures + 1,
           recent_failures = (coalesce(p_attempt, gen_random_uuid()) || a.recent_failures)[1:20],
           locked_until = CASE WHEN (a.failures + 1) % 5 = 0
               THEN clock_timestamp()
                    + least(2 ^ ((a.failures + 1) / 5 - 1), 60) * interval '1 minute'
               ELSE a.locked_until END
     WHERE a.tenant_id = nullif(current_setting('app.tenant', true), '')::uuid
       AND a.user_id = p_user
       AND (p_attempt IS NULL OR NOT p_attempt = ANY (a.recent_failures));
END $$;

CREATE OR REPLACE FUNCTION core_totp_match(p_user uuid, p_code text, p_attempt uuid)
RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wall uuid := core_bound_person(p_user);
    present bigint := floor(extract(epoch FROM clock_timestamp()) / 30)::bigint;
    held core_authenticator%ROWTYPE;
BEGIN
    SELECT * INTO held FROM core_authenticator a
     WHERE a.tenant_id = wall AND a.user_id = p_user FOR UPDATE;
    IF NOT FOUND OR held.locked_until > clock_timestamp() THEN
        RETURN NULL;
    END IF;
    FOR step IN present - 1 .. present + 1 LOOP
        IF step > held.last_step AND core_hotp(held.secret, step) = p_code THEN
            UPDATE core_authenticator
               SET last_step = step, failures = 0, recent_failures = '{}', locked_until = NULL
             WHERE id = held.id;
            RETURN step;
        END IF;
    END LOOP;
    PERFORM core_totp_miss(p_user, p_attempt);
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION core_totp_confirm(
    p_user uuid, p_code text, p_attempt uuid DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    made uuid := gen_random_uuid();
    wall uuid := core_bound_person(p_user);
BEGIN
    IF core_totp_exists(p_user) OR core_totp_match(p_user, p_code, p_attempt) IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE core_authenticator SET confirmed_at = clock_timestamp()
     WHERE tenant_id = wall AND user_id = p_user;
    INSERT INTO core_stepup (id, tenant_id, user_id, method, content_hash, proved_at, proof)
    VALUES (made, wall, p_user, 'totp', '', clock_timestamp(), '{}');
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION core_totp_prove(
    p_user uuid, p_code text, p_content_hash text, p_attempt uuid DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    made uuid := gen_random_uuid();
    step bigint;
BEGIN
    IF NOT core_totp_exists(p_user) THEN
        RETURN NULL;
    END IF;
    step := core_totp_match(p_user, p_code, p_attempt);
    IF step IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO core_stepup (id, tenant_id, user_id, method, content_hash, proved_at, proof)
    VALUES (made, core_bound_person(p_user), p_user, 'totp', p_content_hash, clock_timestamp(),
            jsonb_build_object('step', step));
    RETURN made;
END $$;

CREATE OR REPLACE FUNCTION core_totp_failed(p_user uuid, p_attempt uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- The attempt was counted in a transaction that was rolled back: count it again, once.
    PERFORM core_totp_miss(p_user, p_attempt);
END $$;

CREATE OR REPLACE FUNCTION core_step_up_counts(
    p_step_up uuid, p_user uuid, p_content_hash text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM core_stepup s
         WHERE s.id = p_step_up AND s.user_id = p_user AND s.content_hash = p_content_hash
           AND s.tenant_id = nullif(current_setting('app.tenant', true), '')::uuid
           AND s.content_hash <> '' AND s.method IN ('totp', 'passkey')
           AND s.proved_at > clock_timestamp() - interval '300 seconds');
END $$;

CREATE OR REPLACE FUNCTION core_step_up_use(
    p_step_up uuid, p_user uuid, p_content_hash text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT core_step_up_counts(p_step_up, p_user, p_content_hash) THEN
        RETURN false;
    END IF;
    UPDATE core_stepup SET used_at = clock_timestamp() WHERE id = p_step_up AND used_at IS NULL;
    RETURN FOUND;
END $$;

CREATE OR REPLACE FUNCTION core_stepup_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.used_at IS NOT NULL OR NEW.used_at IS NULL
       OR to_jsonb(NEW) - 'used_at' IS DISTINCT FROM to_jsonb(OLD) - 'used_at' THEN
        RAISE EXCEPTION '% on core_stepup is refused: a proof is only ever marked as used', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS stepup_guard ON core_stepup;
CREATE TRIGGER stepup_guard BEFORE UPDATE OR DELETE ON core_stepup
    FOR EACH ROW EXECUTE FUNCTION core_stepup_guard();
"""

_PURE: Final = (
    "core_sha1(bytea)",
    "core_hmac_sha1(bytea, bytea)",
    "core_hotp(bytea, bigint, integer)",
    "core_base32(bytea)",
    "core_bound_person(uuid)",
    "core_totp_miss(uuid, uuid)",
    "core_totp_match(uuid, text, uuid)",
)
_FOR_THE_APP: Final = (
    "core_totp_exists(uuid)",
    "core_totp_enrol(uuid, bytea, boolean)",
    "core_totp_confirm(uuid, text, uuid)",
    "core_totp_prove(uuid, text, text, uuid)",
    "core_totp_failed(uuid, uuid)",
    "core_step_up_counts(uuid, uuid, text)",
    "core_step_up_use(uuid, uuid, text)",
)
RIGHTS: Final = f"""
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON core_stepup FROM tms_app;
REVOKE EXECUTE ON FUNCTION {", ".join((*_PURE, *_FOR_THE_APP))} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {", ".join(_FOR_THE_APP)} TO tms_app;
"""
