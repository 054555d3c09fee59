import time, cProfile, pstats
from decimal import Decimal
from datetime import timedelta
from tests.treasury.bank.paper import *
from treasury.services import ingest
from treasury.selectors import positions
from treasury.models import *
from core import clock

def test_perf(account):
    n = 4_000
    entries = tuple(E(amount=f"{(i%997)+0.5:.2f}", ref=f"R{i}", e2e=f"E{i}", text=f"remittance {i}") for i in range(n))
    d53 = camt("053", day_statement(*entries)); d52 = camt("052", S(id="I1", entries=entries))
    for name, data in (("052", d52), ("053", d53), ("053again", camt("053", day_statement(*entries, created="2026-11-21T08:00:00+01:00"), message="Z"))):
        m = archive.archive_inbound(connection_code=LINE, name=name, data=data)
        p = cProfile.Profile()
        t = time.time(); p.enable(); r = ingest_message(message_id=m.pk); p.disable()
        print(name, len(data)//2**20, "MB", round(time.time()-t, 2), "s", n/(time.time()-t), "rows/s", r.entries_new, r.entries_changed)
        s = pstats.Stats(p); s.sort_stats("cumtime").print_stats(28)

def test_positions_perf(account, open_account):
    import random
    accs=[account]+[open_account(f"88{i:08d}", label=f"A{i}") for i in range(999)]
    from treasury.services import rows
    from django.db import connection
    now=clock.now(); st=[];bal=[];ent=[];obs=[]
    for a in accs:
        for d in range(20):
            day=DAY-timedelta(days=d)
            s=Statement(account=a,source="CAMT053",statement_ref=f"S{d}",message_id=a.pk,statement_date=day,period_start=day,period_end=day,received_at=now,state="POSTED",proof="PROVEN")
            st.append(s); bal.append(StatementBalance(statement=s,account=a,code="CLBD",amount=Decimal(d),on_date=day,as_of=now-timedelta(days=d+3)))
            ent.append(BankEntry(account=a,identity=f"{d}",identity_rule="X",amount=Decimal(1),booking_date=day,value_date=day,status="BOOK",best_source="CAMT053",statement=s,first_seen_at=now,announced_at=now))
    t=time.time()
    for l in (st,bal,ent): rows.insert(l)
    print("insert", len(ent), time.time()-t)
    with connection.cursor() as c: c.execute("SET LOCAL jit = off")
    for _ in range(4):
        t=time.time(); p=positions.positions(on=DAY); print("positions", len(p), time.time()-t)
        t=time.time(); p=positions.available_many(accs,on=DAY,now=now); print("available", len(p), time.time()-t)

def test_explain(account):
    from django.db import connection
    from treasury.services import settling
    n = 3_000
    entries = tuple(E(amount=f"{(i%997)+0.5:.2f}", ref=f"R{i}", e2e=f"E{i}", text=f"remittance {i}") for i in range(n))
    arrive(camt("052", S(id="I1", entries=entries)))
    ids = list(BankEntry.objects.values_list("pk", flat=True))
    with connection.cursor() as c:
        c.execute("EXPLAIN ANALYZE " + settling._SETTLE, {"account": account.pk, "start": DAY, "end": DAY, "touched": ids})
        print("\n".join(r[0][:150] for r in c.fetchall()))
