"""The composition of all rooms: settings, addresses, servers, schedule, front page."""
