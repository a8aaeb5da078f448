/** What `inbox --help` says, and what agents are told of it: one text, so that none of both is out of date. */
export const INBOX_HELP = `inbox: talk to the people outside of this lane. Every verb takes --json.

  inbox ask "QUESTION" [--choice C]... [--default D] [--body TEXT|-]
        [--urgency low|normal|high] [--expires T] [--wait T | --no-wait]
      Asks a person and prints the answer, which may take hours. Give choices
      where you can. --default is the answer once --expires (else --wait) is
      over. --wait is 10m, longer than most tools let a command run: rather
      ask with --no-wait and end your turn, you are woken with the answer.
      inbox ask --id ID waits on for a question that was asked before.
  inbox report [--level info|warn|done|blocked] [--file PATH]... TEXT|-
      Tells people where you stand. done: the summary of finished work.
      blocked: you cannot go on; end your turn, you are woken with what to do.
  inbox task create "TITLE" [--body TEXT|-] | inbox task ls | inbox task done ID
      Proposes work, which is begun once a person has accepted it.
  inbox lanes | inbox context
      The lanes that you may see. Which lane and job this is.

Times: 30s 10m 2h 1d. Exit codes: 0 ok, 1 failed, 2 usage, 3 not found,
5 conflict, 6 host unreachable, 7 nobody answered in time, 8 asked, not waited.
`;
