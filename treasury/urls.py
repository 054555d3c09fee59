"""Pages of the treasury."""

from django.urls import path

from treasury.views import (
    beneficiaries,
    browsing,
    evidence,
    freezing,
    movement,
    position,
    proofs,
    proposing,
    readiness,
    rereading,
    tasks,
    uploading,
)

app_name = "treasury"

urlpatterns = [
    path("position", position.overview, name="position"),
    path("position/panel", position.panel, name="position-panel"),
    path("proofs", proofs.overview, name="proofs"),
    path("proofs/export.csv", proofs.export, name="proofs-export"),
    path("accounts/<uuid:account_id>", position.account_page, name="account"),
    path("evidence", evidence.page, name="evidence"),
    path("entries", browsing.entry_list, name="entries"),
    path("entries/<uuid:entry_id>", browsing.entry_page, name="entry"),
    path("statements", browsing.statement_list, name="statements"),
    path("statements/<uuid:statement_id>", position.statement_page, name="statement"),
    path(
        "statements/<uuid:statement_id>/again",
        rereading.statement_again,
        name="read-statement-again",
    ),
    path("proposals", movement.proposal_board, name="proposals"),
    path("proposals/new", proposing.new_proposal, name="new-proposal"),
    path("proposals/uploads", uploading.uploads, name="uploads"),
    path("proposals/uploads/template.csv", uploading.template, name="upload-template"),
    path("proposals/uploads/<uuid:upload_id>", uploading.upload, name="upload"),
    path("proposals/uploads/<uuid:upload_id>/submit", uploading.submit, name="submit-upload"),
    path("proposals/uploads/<uuid:upload_id>/discard", uploading.discard, name="discard-upload"),
    path("proposals/check", proposing.check_proposal, name="check-proposal"),
    path("proposals/panel", movement.movements_panel, name="movements-panel"),
    path("proposals/<uuid:proposal_id>", movement.proposal_page, name="proposal"),
    path("proposals/<uuid:proposal_id>/instruction", movement.instruction, name="instruction"),
    path("proposals/<uuid:proposal_id>/amend", proposing.amend_proposal, name="amend-proposal"),
    path("proposals/<uuid:proposal_id>/submit", movement.submit, name="submit"),
    path("proposals/<uuid:proposal_id>/withdraw", movement.withdraw, name="withdraw"),
    path("proposals/<uuid:proposal_id>/retry", movement.retry, name="retry"),
    path("beneficiaries", beneficiaries.board, name="beneficiaries"),
    path("beneficiaries/new", beneficiaries.new, name="new-beneficiary"),
    path("beneficiaries/readiness", readiness.page, name="readiness"),
    path("beneficiaries/readiness.csv", readiness.export, name="readiness-export"),
    path("beneficiaries/<uuid:beneficiary_id>", beneficiaries.page, name="beneficiary"),
    path(
        "beneficiaries/<uuid:beneficiary_id>/change",
        beneficiaries.change,
        name="change-beneficiary",
    ),
    path(
        "beneficiaries/<uuid:beneficiary_id>/verify",
        beneficiaries.verify,
        name="verify-beneficiary",
    ),
    path(
        "beneficiaries/<uuid:beneficiary_id>/block", beneficiaries.block, name="block-beneficiary"
    ),
    path(
        "beneficiaries/<uuid:beneficiary_id>/unblock",
        beneficiaries.unblock,
        name="unblock-beneficiary",
    ),
    path("prefunding", movement.prefunding_board, name="prefunding"),
    path("freeze", freezing.page, name="freeze"),
    path("freeze/stop", freezing.stop, name="stop-outflows"),
    path("freeze/<uuid:freeze_id>/release", freezing.release, name="release-outflows"),
    path("transfers", movement.transfer_board, name="transfers"),
    path("transfers/<uuid:transfer_id>/track", tasks.track, name="track"),
    path("transfers/<uuid:transfer_id>/recall", movement.recall, name="recall"),
    path("tasks", tasks.task_list, name="tasks"),
    path("tasks/count", tasks.open_count, name="tasks-count"),
    path("tasks/export.csv", tasks.export, name="tasks-export"),
    path("tasks/<uuid:task_id>/acknowledge", tasks.acknowledge, name="acknowledge-task"),
    path("tasks/<uuid:task_id>/close", tasks.close, name="close-task"),
]
