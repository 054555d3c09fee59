/* Approve with a passkey: the browser signs a challenge that is bound to exactly this content. */
"use strict";

(() => {
  function say(form, words) {
    const place = form.querySelector("[data-passkey-trouble]");
    if (!place) return;
    place.textContent = words;
    place.hidden = !words;
  }

  async function options(form, { passkey: url, passkeyForm }) {
    const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
    const body = passkeyForm === undefined ? undefined : new FormData(form);
    const answer = await fetch(url, { method: "POST", headers: { "X-CSRFToken": token }, body });
    if (!answer.ok) throw new Error("The passkey could not begin. Use the code instead.");
    return PublicKeyCredential.parseRequestOptionsFromJSON(await answer.json());
  }

  async function approve(button) {
    const form = button.closest("form");
    say(form, "");
    const { code } = form.elements;
    const wasRequired = code.required;
    code.required = false;
    if (!form.reportValidity()) return void (code.required = wasRequired);
    button.disabled = true;
    try {
      const publicKey = await options(form, button.dataset);
      const credential = await navigator.credentials.get({ publicKey });
      form.elements.passkey.value = JSON.stringify(credential.toJSON());
      form.requestSubmit();
    } catch (trouble) {
      code.required = wasRequired;
      const cancelled = trouble.name === "NotAllowedError";
      say(form, cancelled ? "The passkey was not shown." : trouble.message);
    } finally {
      button.disabled = false;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-passkey]");
    if (button) approve(button);
  });
})();
