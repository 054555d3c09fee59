"""What beat wakes, and how often; rows remember the work."""

from typing import Any

from celery.schedules import crontab

SCHEDULE: dict[str, dict[str, Any]] = {
    "deliver events": {"task": "core.events.drain", "schedule": 3.0},
    "seal the audit trail": {"task": "core.audit.seal", "schedule": 2.0},
    "tell the witness": {"task": "core.audit.witness", "schedule": 15.0},
    "verify the audit trail": {"task": "core.audit.verify", "schedule": 5.0},
    "verify every trail at night": {
        "task": "core.audit.verify_nightly",
        "schedule": crontab(hour="2", minute="30"),
    },
    "warn of closing windows": {"task": "calendars.raise_window_alerts", "schedule": 60.0},
    "look ahead for holidays": {
        "task": "calendars.holiday_lookahead",
        "schedule": crontab(hour="1", minute="0"),
    },
    "open the quarter's access review": {
        "task": "core.identity.open_access_reviews",
        "schedule": crontab(hour="2", minute="0"),
    },
    "escalate approvals": {"task": "approvals.escalate", "schedule": 60.0},
    "expire approvals": {"task": "approvals.expire", "schedule": 30.0},
    "send payments": {"task": "integrations.dispatch", "schedule": 5.0},
    "resolve unknown outcomes": {"task": "integrations.enquire", "schedule": 5.0},
    "collect bank messages": {"task": "integrations.collect", "schedule": 5.0},
    "start approved transfers": {"task": "treasury.execute", "schedule": 2.0},
    "submit uploads": {"task": "treasury.uploads", "schedule": 3.0},
    "forecast": {"task": "liquidity.forecast", "schedule": 900.0},
    "measure risk": {
        "task": "risk.measure",
        # Before the first sweeps of the day, and again when the morning's statements are in.
        "schedule": crontab(hour="5,12", minute="10"),
    },
    "watch the rates": {"task": "fx.watch", "schedule": 60.0},
    "take in reference rates": {
        "task": "fx.reference",
        "schedule": crontab(hour="16", minute="30"),
    },
    "expire deals": {"task": "fx.expire", "schedule": 60.0},
    "settle deals": {"task": "fx.settle", "schedule": 60.0},
    "value the deals": {
        "task": "fx.revalue",
        # Before 17:00 in New York all year round.
        "schedule": crontab(hour="20", minute="45", day_of_week="1-5"),
    },
    "tick the demo's rates": {"task": "demo.tick_rates", "schedule": 20.0},
    "tell positions": {"task": "treasury.positions", "schedule": 5.0},
    "watch the feeds": {"task": "treasury.feeds", "schedule": 300.0},
    "tidy the treasury": {"task": "treasury.tidy", "schedule": 900.0},
    "execute the demo's sweeps": {"task": "demo.execute_sweeps", "schedule": 15.0},
    "keep the demo fresh": {"task": "demo.keep_fresh", "schedule": 3600.0},
    "decide sweeps": {"task": "treasury.sweeps.decide", "schedule": 30.0},
    "send sweeps": {"task": "treasury.sweeps.send", "schedule": 3.0},
    "follow the money of sweeps": {"task": "treasury.sweeps.follow", "schedule": 60.0},
    "run cash pools": {"task": "treasury.pools.run", "schedule": 60.0},
    "pair the banks' own sweeps": {"task": "treasury.pools.pair", "schedule": 300.0},
    "watch confirmations": {"task": "treasury.sla", "schedule": 30.0},
}
