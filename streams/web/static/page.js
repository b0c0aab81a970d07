// Times stand in the page as UTC; here they turn to the viewer's zone, in the page's own way of writing them. Without
// this script the page says UTC.
for (const element of document.querySelectorAll('time[datetime*="T"]')) {
  const moment = new Date(element.dateTime);
  if (Number.isNaN(moment.getTime())) continue;
  element.title = element.textContent;
  element.textContent = new Intl.DateTimeFormat("en-GB", {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
    timeZoneName: "short",
  }).format(moment);
}
