/** What `npm start` prints: commands to paste, from registering to the first message. */
export function welcome(url: string, dataDir: string): string {
  const address = url.replace('http://', '');
  const service = 'org.harshit.messenger.chat.ChatService';
  return `
Chatterbox is ready on ${url}
Everything is kept in ${dataDir}. Stop with Ctrl-C.

Say hello: paste this into a second terminal. Ada and Bob register, and Bob listens (Ctrl-C ends it).

  register() { curl -s ${url}/auth/register -H 'content-type: application/json' \\
    -d "{\\"username\\":\\"$1\\",\\"password\\":\\"correct horse $1\\"}" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/'; }
  register ada > /tmp/ada.token; register bob > /tmp/bob.token
  grpcurl -plaintext -H "authorization: Bearer $(cat /tmp/bob.token)" -d @ \\
    ${address} ${service}/SendMessagesGRPC

And this into a third: Ada writes to Bob.

  grpcurl -plaintext -H "authorization: Bearer $(cat /tmp/ada.token)" -d '{"friend":"bob","message":"Hello, Bob"}' \\
    ${address} ${service}/SendMessage

A token lives for 15 minutes; /auth/login gives a new one. The README goes on from here.
`;
}
