const URL_OF_SERVER = window.location.origin;

const $ = (id) => document.getElementById(id);

const screen = io(`${URL_OF_SERVER}/screen`);
screen.on('result', (result) => {
  $('result').textContent = Object.entries(result).map(([choice, votes]) => `${choice}: ${votes}`).join('\n');
});

let voters;
$('enter').addEventListener('submit', (event) => {
  event.preventDefault();
  voters?.close();
  voters = io(`${URL_OF_SERVER}/voters`, { auth: { name: $('name').value }, forceNew: true });
  voters.on('connect_error', (error) => {
    $('refusal').value = error.message;
  });
  voters.on('question', ({ text, choices }) => {
    $('question').textContent = text;
    $('choices').replaceChildren(...choices.map((choice) => {
      const button = document.createElement('button');
      button.textContent = choice;
      button.onclick = () => voters.emit('vote', choice, (accepted, said) => {
        $('mine').textContent = accepted ? `you voted for ${said}` : said;
      });
      return button;
    }));
  });
  voters.on('are you there?', (answer) => answer('yes'));
});
