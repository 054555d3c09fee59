"""Messages over the API: the list, one of them, and its bytes."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.actor import actor
from core.errors import Forbidden
from integrations import selectors, services
from integrations.api.filters import MessageFilter
from integrations.api.serializers import MessageOut, TriedAgainOut
from integrations.downloads import ROLES_FOR_BYTES, as_download
from integrations.models import Message


class MessageList(ListAPIView[Message]):
    """List the archive of messages, newest first."""

    serializer_class = MessageOut
    filterset_class = MessageFilter

    def get_queryset(self) -> QuerySet[Message]:
        """Return the tenant's messages without their bytes."""
        return selectors.messages()


class MessageDetail(RetrieveAPIView[Message]):
    """Show what is known about one message."""

    serializer_class = MessageOut

    def get_object(self) -> Message:
        """Return it, or refuse with 404."""
        return selectors.message(self.kwargs["message_id"])


class MessageContent(APIView):
    """The bytes of a message, exactly as they were received or sent."""

    @extend_schema(
        operation_id="messages_content",
        responses={
            (200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY),
        },
    )
    def get(self, request: Request, message_id: str) -> HttpResponse:
        """Send the bytes as a download."""
        if not actor(request).has_role(*ROLES_FOR_BYTES):
            raise Forbidden("Your roles do not allow reading messages of the banks.")
        return as_download(selectors.message(message_id))


class MessageAgain(APIView):
    """Take a message up again that was set aside."""

    @extend_schema(operation_id="messages_again", request=None, responses=MessageOut)
    def post(self, request: Request, message_id: UUID) -> Response:
        """Read it once more, as if it had just been received."""
        message = services.try_again(message_id=message_id, actor=actor(request))
        return Response(MessageOut(selectors.message(message.pk)).data)


class ConnectionAgain(APIView):
    """Take up everything again that was set aside from one connection."""

    @extend_schema(operation_id="connections_again", request=None, responses=TriedAgainOut)
    def post(self, request: Request, code: str) -> Response:
        """Read it once more, after the bank's profile or our accounts changed."""
        tried = services.try_connection_again(connection_code=code, actor=actor(request))
        return Response(TriedAgainOut({"tried": tried}).data)
