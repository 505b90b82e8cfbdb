// Shows server-sent events as they come. Without scripts the page links to the stream itself.
const list = document.getElementById('events');
const source = new EventSource(list.dataset.source);

function show(text) {
  const item = document.createElement('li');
  item.textContent = text;
  list.append(item);
}

source.addEventListener('message', (event) => {
  const { number, of, time } = JSON.parse(event.data);
  show(`Event ${number} of ${of} at ${time}`);
});
// Without this the browser would connect again as soon as the response ends.
source.addEventListener('end', () => source.close());
