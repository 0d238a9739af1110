// What our bar says, in the language of our other pages: the one chosen there, or else the browser's.
(() => {
  "use strict";

  const WORDS = {
    en: {
      credits: "credits",
      available: "Available",
      reserved: "Reserved by jobs",
      balance: "Balance",
      account: "Account and usage",
      newHere: "New here?",
      join: "Create an account",
      what: "What this is",
      pricing: "Pricing",
      forgot: "Forgot your password?",
      close: "Close",
      noPlan: "No plan",
      held: (count) => `${count} held`,
      until: (plan, day) => `${plan} plan, until ${day}`,
      label: (count, held, plan) =>
        `${count} credits available${held ? `, ${held} reserved` : ""}, ${plan === null ? "No plan" : `${plan} plan`}. Account`,
    },
    ko: {
      credits: "크레딧",
      available: "사용 가능",
      reserved: "작업이 예약함",
      balance: "잔액",
      account: "계정과 사용량",
      newHere: "처음이신가요?",
      join: "계정 만들기",
      what: "서비스 소개",
      pricing: "요금제",
      forgot: "비밀번호를 잊으셨나요?",
      close: "닫기",
      noPlan: "요금제 없음",
      held: (count) => `${count} 예약`,
      until: (plan, day) => `${plan} 요금제, ${day}까지`,
      label: (count, held, plan) =>
        `사용 가능 ${count} 크레딧${held ? `, 예약 ${held}` : ""}, ${plan === null ? "요금제 없음" : `${plan} 요금제`}. 계정`,
    },
  };

  const chosen = document.cookie.match(/(?:^|; )invokeai_saas_lang=(\w+)/)?.[1];
  const liked = [chosen, ...navigator.languages].map((tag) => tag?.slice(0, 2));
  const language = liked.find((code) => code && Object.hasOwn(WORDS, code)) ?? "en";
  // As the browser's own people write dates and figures in it: en-GB's are not en-US's.
  const locale = navigator.languages.find((tag) => tag.startsWith(language)) ?? language;
  Object.assign(window.invokeaiSaas, { locale, words: WORDS[language] });
})();
