"use strict";
(() => {
  let known = null;
  const status = document.getElementById("live");
  const look = async () => {
    try {
      const answer = await fetch("version", { cache: "no-store", credentials: "same-origin" });
      if (answer.status !== 200) throw new Error();
      const now = await answer.text();
      if (known !== null && now !== known) location.reload();
      known = now;
      status.textContent = "Live: this page follows the files.";
    } catch {
      status.textContent = "No longer live: the command that served this page has ended.";
    }
  };
  look();
  setInterval(look, 2000);
})();
