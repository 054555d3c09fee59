"""A second factor that the app role cannot forge: seeds it cannot read, proofs it cannot write."""

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection, connections, transaction

from core.identity import guards, step_up
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.conftest import MakeUser, make_user
from tests.scenes import scene
from tms.story.codes import code_at

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # "12345678901234567890" of the RFCs
PAYMENT = hashlib.sha256(b"2,750,000.00 USD to North Bank").hexdigest()
OTHER = hashlib.sha256(b"9,750,000.00 USD to North Bank").hexdigest()
STEP_SECONDS = 30


def code_now(seed: str = SEED, ahead: int = 0) -> str:
    """Return what an authenticator with `seed` shows now, or `ahead` steps later."""
    return code_at(seed, int(time.time()) // STEP_SECONDS + ahead)


def wrong_code(seed: str = SEED) -> str:
    """Return a code that no step near now shows."""
    near = {code_now(seed, ahead) for ahead in range(-2, 4)}
    return next(code for number in range(9) if (code := f"{number:06d}") not in near)


@scene
def anna(user_with: MakeUser) -> User:
    """Somebody with a confirmed authenticator that carries the seed of the RFCs."""
    made = user_with("treasury_checker", name="anna")
    step_up.hand_out(user=made, secret=SEED)
    return made


def _owner(owner: psycopg.Connection[Any], sql: str, *values: object) -> Any:
    row = owner.execute(sql, values).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
        ),
    ],
)
def test_sha1_is_that_of_fips_180(
    owner_connection: psycopg.Connection[Any], message: bytes, digest: str
) -> None:
    assert _owner(owner_connection, "SELECT core_sha1(%s)", message).hex() == digest


def test_sha1_pads_every_length_as_it_should(owner_connection: psycopg.Connection[Any]) -> None:
    for length in (*range(130), 255, 256):
        message = bytes(range(256))[:length]
        found = _owner(owner_connection, "SELECT core_sha1(%s)", message)
        assert found == hashlib.sha1(message, usedforsecurity=False).digest(), length


RFC_2202 = [
    (b"\x0b" * 20, b"Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
    (b"Jefe", b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
    (b"\xaa" * 20, b"\xdd" * 50, "125d7342b9ac11cd91a39af48aa17b4f63f175d3"),
    (bytes(range(1, 26)), b"\xcd" * 50, "4c9007f4026250c6bc8414f9bf50c86c2d7235da"),
    (b"\x0c" * 20, b"Test With Truncation", "4c1a03424b55e07fe7f27be1d58bb9324a9a5a04"),
    (
        b"\xaa" * 80,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "aa4ae5e15272d00e95705637ce8a3b55ed402112",
    ),
    (
        b"\xaa" * 80,
        b"Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data",
        "e8e99d0f45237d786d6bbaa7965c7808bbff1a91",
    ),
]


@pytest.mark.parametrize(("key", "message", "digest"), RFC_2202)
def test_hmac_is_that_of_rfc_2202(
    owner_connection: psycopg.Connection[Any], key: bytes, message: bytes, digest: str
) -> None:
    assert _owner(owner_connection, "SELECT core_hmac_sha1(%s, %s)", key, message).hex() == digest


def test_one_time_passwords_are_those_of_rfc_4226(
    owner_connection: psycopg.Connection[Any],
) -> None:
    expected = [
        "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
        "520489",
    ]  # fmt: skip
    secret = b"12345678901234567890"
    found = [
        _owner(owner_connection, "SELECT core_hotp(%s, %s)", secret, counter)
        for counter in range(10)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ],
)
def test_time_steps_are_those_of_rfc_6238(
    owner_connection: psycopg.Connection[Any], seconds: int, code: str
) -> None:
    secret, step = b"12345678901234567890", seconds // STEP_SECONDS
    assert _owner(owner_connection, "SELECT core_hotp(%s, %s, 8)", secret, step) == code


@pytest.mark.parametrize(
    ("plain", "written"),
    [
        (b"", ""),
        (b"f", "MY======"),
        (b"fo", "MZXQ===="),
        (b"foo", "MZXW6==="),
        (b"foob", "MZXW6YQ="),
        (b"fooba", "MZXW6YTB"),
        (b"foobar", "MZXW6YTBOI======"),
    ],
)
def test_seeds_are_written_as_rfc_4648_says(
    owner_connection: psycopg.Connection[Any], plain: bytes, written: str
) -> None:
    assert _owner(owner_connection, "SELECT core_base32(%s)", plain) == written


def test_a_code_proves_one_content_of_one_person(anna: User, maker: User) -> None:
    proof = step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)
    assert (proof.user, proof.method, proof.content_hash) == (anna, "totp", PAYMENT)
    assert step_up.counts(step_up=proof.id, user=anna, content_hash=PAYMENT)
    assert not step_up.counts(step_up=proof.id, user=anna, content_hash=OTHER)
    assert not step_up.counts(step_up=proof.id, user=maker, content_hash=PAYMENT)
    assert not step_up.counts(step_up=uuid4(), user=anna, content_hash=PAYMENT)


def test_a_sign_in_proves_no_payment(anna: User) -> None:
    proof = step_up.prove_with_code(user=anna, code=code_now(), content_hash=step_up.SIGN_IN)
    assert not step_up.counts(step_up=proof.id, user=anna, content_hash=step_up.SIGN_IN)
    assert not step_up.counts(step_up=proof.id, user=anna, content_hash=PAYMENT)


def test_a_proof_is_worth_nothing_in_another_tenant(anna: User, other_tenant: Tenant) -> None:
    proof = step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)
    with bound(other_tenant.id, actor=anna.pk):
        assert not step_up.counts(step_up=proof.id, user=anna, content_hash=PAYMENT)
        with pytest.raises(step_up.StepUpFailed):
            step_up.prove_with_code(user=anna, code=code_now(ahead=1), content_hash=PAYMENT)


def test_a_code_works_once(anna: User) -> None:
    code = code_now()
    step_up.prove_with_code(user=anna, code=code, content_hash=PAYMENT)
    with pytest.raises(step_up.StepUpFailed):
        step_up.prove_with_code(user=anna, code=code, content_hash=OTHER)


def test_an_older_code_does_not_work_after_a_newer_one(anna: User) -> None:
    step_up.prove_with_code(user=anna, code=code_now(ahead=1), content_hash=PAYMENT)
    with pytest.raises(step_up.StepUpFailed):
        step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)


@pytest.mark.parametrize("ahead", [-3, -2, 2, 3])
def test_codes_outside_the_window_do_not_work(anna: User, ahead: int) -> None:
    with pytest.raises(step_up.StepUpFailed):
        step_up.prove_with_code(user=anna, code=code_now(ahead=ahead), content_hash=PAYMENT)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "' OR 1=1"])
def test_what_is_no_code_is_refused(anna: User, code: str) -> None:
    with pytest.raises(step_up.StepUpFailed):
        step_up.prove_with_code(user=anna, code=code, content_hash=PAYMENT)


def test_a_code_may_be_typed_with_a_blank(anna: User) -> None:
    code = code_now()
    typed = f" {code[:3]} {code[3:]} "
    assert step_up.prove_with_code(user=anna, code=typed, content_hash=PAYMENT).method == "totp"


def test_five_wrong_codes_lock_even_the_right_one_out(anna: User) -> None:
    for _ in range(4):
        with pytest.raises(step_up.StepUpFailed):
            step_up.prove_with_code(user=anna, code=wrong_code(), content_hash=PAYMENT)
    assert (
        step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT).method == "totp"
    )
    for _ in range(5):
        with pytest.raises(step_up.StepUpFailed):
            step_up.prove_with_code(user=anna, code=wrong_code(), content_hash=PAYMENT)
    with pytest.raises(step_up.StepUpFailed):
        step_up.prove_with_code(user=anna, code=code_now(ahead=1), content_hash=PAYMENT)


def test_a_disabled_person_and_a_service_account_prove_nothing(
    anna: User, user_with: MakeUser
) -> None:
    robot = user_with("integration", name="robot", is_service=True)
    with pytest.raises(Exception, match="only an active person"), transaction.atomic():
        step_up.hand_out(user=robot)
    User.objects.filter(pk=anna.pk).update(is_active=False)
    with pytest.raises(step_up.StepUpFailed):
        step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)


def test_an_authenticator_counts_after_its_first_code(user_with: MakeUser) -> None:
    bella = user_with("treasury_maker", name="bella")
    seed = step_up.enrol(user=bella)
    assert len(seed) == 32
    assert not step_up.has_authenticator(user=bella)
    with pytest.raises(step_up.StepUpFailed):
        step_up.prove_with_code(user=bella, code=code_now(seed), content_hash=PAYMENT)
    assert step_up.confirm(user=bella, code=code_now(seed)).content_hash == step_up.SIGN_IN
    assert step_up.has_authenticator(user=bella)


def test_nobody_replaces_a_confirmed_authenticator(anna: User) -> None:
    for replace in (step_up.enrol, step_up.hand_out):
        with pytest.raises(Exception, match="has a confirmed"), transaction.atomic():
            replace(user=anna)
    assert (
        step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT).method == "totp"
    )


def test_a_proof_can_be_used_up(anna: User) -> None:
    proof = step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)
    with pytest.raises(step_up.StepUpMissing):
        step_up.require(step_up=proof.id, user=anna, content_hash=OTHER)
    step_up.require(step_up=proof.id, user=anna, content_hash=PAYMENT)
    with pytest.raises(step_up.StepUpMissing):
        step_up.require(step_up=proof.id, user=anna, content_hash=PAYMENT)
    with pytest.raises(step_up.StepUpMissing):
        step_up.require(step_up=None, user=anna, content_hash=PAYMENT)


ATTACKS = {
    "read the seeds": "SELECT secret FROM core_authenticator",
    "read one column": "SELECT user_id FROM core_authenticator",
    "copy the seeds": "COPY core_authenticator TO STDOUT",
    "plant a seed": "UPDATE core_authenticator SET secret = '\\x00'",
    "remove the authenticator": "DELETE FROM core_authenticator",
    "unlock it": "UPDATE core_authenticator SET locked_until = NULL",
    "write a proof": (
        "INSERT INTO core_stepup (id, tenant_id, user_id, method, content_hash, proved_at, proof)"
        " SELECT gen_random_uuid(), tenant_id, id, 'totp', '', now(), '{}' FROM core_user LIMIT 1"
    ),
    "bend a proof": "UPDATE core_stepup SET content_hash = ''",
    "freshen a proof": "UPDATE core_stepup SET proved_at = now()",
    "unuse a proof": "UPDATE core_stepup SET used_at = NULL",
    "remove a proof": "DELETE FROM core_stepup",
    "empty the proofs": "TRUNCATE core_stepup",
    "compute a code": "SELECT core_hotp('\\x00', 1)",
    "ask for the step": "SELECT core_totp_match(gen_random_uuid(), '000000', NULL)",
    "replace the function": (
        "CREATE OR REPLACE FUNCTION core_step_up_counts(uuid, uuid, text) RETURNS boolean"
        " LANGUAGE sql AS 'SELECT true'"
    ),
    "shadow the table": "CREATE TABLE public.core_stepup2 ()",
    "shadow it for a session": "CREATE TEMPORARY TABLE core_stepup (id uuid)",
    "read the old devices": "SELECT key FROM otp_totp_totpdevice",
    "become the owner": "SET ROLE tms_owner",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_app_role_cannot(anna: User, attack: str) -> None:
    step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)
    connection.ensure_connection()
    with (
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.SyntaxError)),
        transaction.atomic(),
    ):
        connection.connection.execute(ATTACKS[attack])


@pytest.fixture
def granted(owner_connection: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The negative control: the rights that the migration took away are given back."""
    rights = "SELECT, INSERT, UPDATE, DELETE ON core_authenticator, core_stepup"
    owner_connection.execute(f"GRANT {rights} TO tms_app")
    yield owner_connection
    owner_connection.execute("REVOKE ALL ON core_authenticator FROM tms_app")
    owner_connection.execute(guards.RIGHTS)


def test_with_the_rights_given_back_the_attacks_succeed(
    granted: psycopg.Connection[Any], anna: User
) -> None:
    step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)
    connection.ensure_connection()
    raw = connection.connection
    assert raw.execute(ATTACKS["read the seeds"]).fetchone()[0] == b"12345678901234567890"
    assert raw.execute(ATTACKS["write a proof"]).rowcount == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege), transaction.atomic():
        raw.execute(ATTACKS["bend a proof"])  # the trigger stands without the rights, too


@pytest.fixture
def unguarded(owner_connection: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The negative control of the trigger."""
    owner_connection.execute("GRANT UPDATE ON core_stepup TO tms_app")
    owner_connection.execute("DROP TRIGGER stepup_guard ON core_stepup")
    yield owner_connection
    owner_connection.execute(guards.STEP_UPS)
    owner_connection.execute(guards.RIGHTS)


def test_without_the_trigger_a_proof_can_be_bent(
    unguarded: psycopg.Connection[Any], anna: User
) -> None:
    proof = step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)
    connection.ensure_connection()
    connection.connection.execute(f"UPDATE core_stepup SET content_hash = '{OTHER}'")
    assert step_up.counts(step_up=proof.id, user=anna, content_hash=OTHER)


def test_a_proof_grows_old(
    owner_connection: psycopg.Connection[Any], committed_tenant: UUID
) -> None:
    with bound(committed_tenant, actor="system:test"):
        anna = make_user("anna", "treasury_checker")
        step_up.hand_out(user=anna, secret=SEED)
        proof = step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)
    for age, expected in ((299, True), (301, False)):
        with owner_connection.transaction():
            owner_connection.execute(
                "SELECT set_config('app.tenant', %s, true)", [str(committed_tenant)]
            )
            owner_connection.execute("ALTER TABLE core_stepup DISABLE TRIGGER stepup_guard")
            owner_connection.execute(
                f"UPDATE core_stepup SET proved_at = clock_timestamp() - interval '{age} seconds'"
            )
            owner_connection.execute("ALTER TABLE core_stepup ENABLE TRIGGER stepup_guard")
        with bound(committed_tenant, actor="system:test"):
            assert step_up.counts(step_up=proof.id, user=anna, content_hash=PAYMENT) is expected, (
                age
            )


def test_eight_at_once_with_one_code_one_wins(committed_tenant: UUID) -> None:
    with bound(committed_tenant, actor="system:test"):
        anna = make_user("anna", "treasury_checker")
        step_up.hand_out(user=anna, secret=SEED)
    code = code_now()

    def prove() -> bool:
        try:
            with bound(committed_tenant, actor=anna.pk):
                step_up.prove_with_code(user=anna, code=code, content_hash=PAYMENT)
        except step_up.StepUpFailed:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as crowd:
        won = [future.result() for future in [crowd.submit(prove) for _ in range(8)]]
    assert won.count(True) == 1


def test_a_wrong_code_counts_although_its_request_is_rolled_back(committed_tenant: UUID) -> None:
    with bound(committed_tenant, actor="system:test"):
        anna = make_user("anna", "treasury_checker")
        step_up.hand_out(user=anna, secret=SEED)
    for _ in range(5):
        with step_up.remembering_failures(), pytest.raises(step_up.StepUpFailed):
            _prove_and_roll_back(committed_tenant, anna)
    with bound(committed_tenant, actor=anna.pk), pytest.raises(step_up.StepUpFailed):
        step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)


def test_without_counting_afterwards_guessing_would_be_free(committed_tenant: UUID) -> None:
    """The negative control of the test above."""
    with bound(committed_tenant, actor="system:test"):
        anna = make_user("anna", "treasury_checker")
        step_up.hand_out(user=anna, secret=SEED)
    for _ in range(6):
        with pytest.raises(step_up.StepUpFailed):
            _prove_and_roll_back(committed_tenant, anna)
    with bound(committed_tenant, actor=anna.pk):
        assert (
            step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT).method
            == "totp"
        )


def _prove_and_roll_back(tenant: UUID, user: User) -> None:
    with bound(tenant, actor=user.pk):
        step_up.prove_with_code(user=user, code=wrong_code(), content_hash=PAYMENT)


def test_the_trail_shows_proofs_and_no_secrets(anna: User) -> None:
    step_up.prove_with_code(user=anna, code=code_now(), content_hash=PAYMENT)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, after FROM core_auditentry"
            " WHERE table_name IN ('core_stepup', 'core_authenticator') ORDER BY id"
        )
        found = cursor.fetchall()
    assert [table for table, _ in found] == ["core_authenticator", "core_stepup"]
    assert "secret" not in found[0][1]
    assert "last_step" not in found[0][1]


def test_devices_of_before_are_moved_over(owner_connection: psycopg.Connection[Any]) -> None:
    tenant, person, key = uuid4(), uuid4(), b"12345678901234567890".hex()
    with owner_connection.transaction(force_rollback=True):
        run = owner_connection.execute
        run("SELECT set_config('app.tenant', %s, true)", [str(tenant)])
        run("INSERT INTO core_tenant VALUES (%s, 'old', 'Old', now())", [tenant])
        run(
            "INSERT INTO core_user (password, is_superuser, id, username, display_name,"
            " person_number, is_service, is_active, is_staff, generation, created_at, tenant_id)"
            " VALUES ('', false, %s, 'old@old', 'Old', 'P-1', false, true, true, 1, now(), %s)",
            [person, tenant],
        )
        run(
            "INSERT INTO otp_totp_totpdevice (name, confirmed, key, step, t0, digits, tolerance,"
            " drift, last_t, user_id, throttling_failure_count)"
            " VALUES ('a', true, %s, 30, 0, 6, 1, 0, 7, %s, 0)",
            [key, person],
        )
        run("SET CONSTRAINTS ALL IMMEDIATE")
        run("ALTER TABLE core_authenticator NO FORCE ROW LEVEL SECURITY")
        run(guards.MOVE_AUTHENTICATORS)
        moved = run("SELECT secret, confirmed_at IS NOT NULL, last_step FROM core_authenticator")
        assert moved.fetchone() == (b"12345678901234567890", True, 7)
        assert run("SELECT count(*) FROM otp_totp_totpdevice").fetchone() == (0,)
