// The prices, for who is logged in: their own plan is marked, and what they choose leads to the till at once.
// For everybody else the links do, by way of the sign-up form.
(() => {
  "use strict";

  const saas = window.invokeaiSaas;
  const failure = document.getElementById("failure");
  if (!saas.token()) return;

  let paid = false; // whether they have a plan that is paid for

  // Stripe's page for what was chosen. Whoever has a plan already changes it on their account page.
  async function buy(link) {
    const { plan, interval, pack } = link.dataset;
    const wish = pack ? { pack } : { plan, interval };
    const path = pack ? "/api/v1/billing/packs" : "/api/v1/billing/subscribe";
    const account = plan ? `/account?${new URLSearchParams({ plan, interval })}` : "/account";
    failure.hidden = true;
    if (plan && paid) return location.assign(account);
    try {
      const { url } = await saas.api(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(wish),
      });
      location.assign(url);
    } catch (error) {
      if (error?.status === 401) return location.assign("/login");
      if (error?.body?.code === "already_subscribed") return location.assign(account);
      const english = document.documentElement.lang === "en";
      failure.textContent = (english && error?.body?.detail) || document.body.dataset.unreachable;
      failure.hidden = false;
    }
  }

  async function markOwn() {
    const { plan, billing_interval: interval } = await saas.api("/api/v1/account/summary");
    paid = interval !== null;
    const offer = plan && document.querySelector(`.offer[data-plan="${CSS.escape(plan.slug)}"]`);
    if (!offer) return;
    const mark = document.createElement("span");
    mark.className = "yours";
    mark.textContent = document.body.dataset.yours;
    offer.querySelector("h3").append(" ", mark);
  }

  for (const link of document.querySelectorAll("a[data-interval], a[data-pack]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      buy(link);
    });
  }
  markOwn().catch(() => null); // a page of prices is good without it
})();
