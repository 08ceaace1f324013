"""What can go wrong with charging sessions.

KubatError
├── SessionNotFound       404
├── IdTagNotFound         404
├── SessionEnded          409
├── SessionStopping       409
├── StopNotGoingOn        409
├── LimitFixed            409
├── TransitionRefused     409
├── NotInReview           409
├── OrphanNotFound        404
├── OrphanResolved        409
├── NotAssignable         409
├── StillImplausible      409
├── GuestChargeNotFound   404
├── GuestChargeNotBegun   409
├── ReservationNotFound   404
├── ReservationEnded      409
└── ReservationLimit      409
"""

from billing.errors import Conflict, NotFound


class SessionNotFound(NotFound):
    code = "session_not_found"
    detail_default = "There is no such session."


class IdTagNotFound(NotFound):
    code = "id_tag_not_found"
    detail_default = "There is no such tag."


class SessionEnded(Conflict):
    code = "session_ended"
    detail_default = "This session has ended."


class SessionStopping(Conflict):
    code = "session_stopping"
    detail_default = "This session is being stopped already."


class StopNotGoingOn(Conflict):
    code = "stop_not_going_on"
    detail_default = "No stop of this session waits for its station."


class LimitFixed(Conflict):
    code = "limit_fixed"
    detail_default = "The limit of this session cannot be raised."


class TransitionRefused(Conflict):
    code = "transition_refused"
    detail_default = "The session cannot go there from its present state."


class NotInReview(Conflict):
    code = "not_in_review"
    detail_default = "This session is not in review."


class OrphanNotFound(NotFound):
    code = "message_not_found"
    detail_default = "There is no such message."


class OrphanResolved(Conflict):
    code = "message_resolved"
    detail_default = "This message is resolved already."


class NotAssignable(Conflict):
    code = "not_assignable"
    detail_default = "This message cannot be of this session."


class StillImplausible(Conflict):
    code = "still_implausible"
    detail_default = "With this the session could not be true."


class GuestChargeNotFound(NotFound):
    code = "guest_charge_not_found"
    detail_default = "There is no such charge."


class GuestChargeNotBegun(Conflict):
    code = "guest_charge_not_begun"
    detail_default = "This charge has not begun."


class ReservationNotFound(NotFound):
    code = "reservation_not_found"
    detail_default = "There is no such reservation."


class ReservationEnded(Conflict):
    code = "reservation_ended"
    detail_default = "This reservation has ended."


class ReservationLimit(Conflict):
    code = "reservation_limit"
    detail_default = "This driver has a reservation already."
