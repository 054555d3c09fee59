/* Passkeys. A form says what it needs in its markup:
   data-passkey="get" or "create", data-passkey-begin="<address that gives the options>".
   Its button [data-passkey-button] asks the browser and sends the answer in the field `passkey`. */
"use strict";

(() => {
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer)))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const known = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  async function create(options) {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: known(options.excludeCredentials),
      },
    });
    return answer(made, {
      attestationObject: text(made.response.attestationObject),
      transports: made.response.getTransports ? made.response.getTransports() : [],
    });
  }

  async function get(options) {
    const shown = await navigator.credentials.get({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        allowCredentials: known(options.allowCredentials),
      },
    });
    return answer(shown, {
      authenticatorData: text(shown.response.authenticatorData),
      signature: text(shown.response.signature),
      userHandle: shown.response.userHandle ? text(shown.response.userHandle) : null,
    });
  }

  function answer(credential, response) {
    return {
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response: { ...response, clientDataJSON: text(credential.response.clientDataJSON) },
    };
  }

  function say(form, words) {
    const place = form.querySelector("[data-passkey-words]");
    if (!place) return;
    place.textContent = words;
    place.hidden = !words;
  }

  async function ask(form) {
    const begun = await fetch(form.dataset.passkeyBegin, {
      method: "POST",
      body: new FormData(form),
      headers: { Accept: "application/json" },
      redirect: "error",
    });
    if (!begun.ok) throw new Error("The server gives no passkey request now.");
    const options = await begun.json();
    return form.dataset.passkey === "create" ? create(options) : get(options);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-passkey-button]");
    const form = button?.closest("form[data-passkey]");
    if (!form) return;
    event.preventDefault();
    if (form.dataset.passkey === "create" && !form.reportValidity()) return;
    if (!window.PublicKeyCredential) {
      say(form, "This browser has no passkeys at this address.");
      return;
    }
    say(form, "");
    button.disabled = true;
    try {
      form.elements.passkey.value = JSON.stringify(await ask(form));
      form.noValidate = true;
      form.requestSubmit();
    } catch (error) {
      say(form, error.name === "NotAllowedError" ? "No passkey was used. Please try again." :
        `The passkey could not be used: ${error.message}`);
    } finally {
      button.disabled = false;
    }
  });
})();
