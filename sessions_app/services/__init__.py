"""The use cases of charging sessions: the only code that changes a session.

Each is a plain function that opens one transaction, locks what it needs in one order (station,
session, command, accounts by id), checks, changes, and leaves its effects to the commit.

    start.request_start   an app wants to charge          POST /ocpp/start_charge
    begin.begin           a transaction began             StartTransaction
    meter.record          the meter was read              MeterValues
    stop.request_stop     someone wants to end it         POST /ocpp/stop_charge
    raise_limit.*         a driver wants more             POST /ocpp/sessions/{id}/limit
    intervene.*           a stop is ignored               the back office, the worker
    end.end               a transaction ended             StopTransaction
    stop.force_end        staff end it on a stated meter  the back office
    review.*              staff resolve what is in doubt  the back office
    recover.*             staff make a session of one   the back office
    orphans.dismiss       staff let a message rest        the back office
    authorize.judge_tag   may this tag charge?            Authorize
    calls.*               our calls to a station          the gateway's command lane
    resume.resume         a station is back               its handshake
    reserve.*             a place for later       POST /ocpp/reservations, the worker
    guest.*               a charge without an account     POST /ocpp/guest_charge, the worker
    expire.run_due        time has passed                 the worker
    clocks.run_due        a clock is off                  the worker
    local_list.*          a station's list of tags        the worker, the back office
    restore.after_restore the database is a backup        manage after_restore

The rest is what these share: holds, books, bill, ending, escalation, ladder, limits, plausible,
readings, receipts, reservations, settle, stopping, orphans, tag_list.
"""
