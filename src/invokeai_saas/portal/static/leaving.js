// Who logged in on the identity provider's page leaves there as well, when InvokeAI's page logs them out.
(() => {
  "use strict";

  window.invokeaiSaas.filter(async (url, method, response) => {
    if (url.pathname !== "/api/v1/auth/logout" || !response.ok) return response;
    const { next } = await response.clone().json();
    if (next) {
      window.invokeaiSaas.forget();
      location.assign(next);
    }
    return response;
  });
})();
