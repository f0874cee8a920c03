/** Editors that speak the Agent Client Protocol, and where their settings name agents. */
export const editorNames = ['zed', 'jetbrains', 'neovim'] as const;
export type EditorName = (typeof editorNames)[number];

/** What to paste into an editor's settings so that it starts this command. Ends with a line break. */
export function editorSettings(editor: EditorName, [command, ...args]: readonly [string, ...string[]]): string {
  const started = { command, args };
  switch (editor) {
    // https://zed.dev/docs/ai/external-agents
    case 'zed':
      return json({ agent_servers: { Anyport: { type: 'custom', ...started, env: {} } } });
    // ~/.jetbrains/acp.json: https://www.jetbrains.com/help/ai-assistant/acp.html
    case 'jetbrains':
      return json({ agent_servers: { Anyport: { ...started, env: {} } } });
    // https://codecompanion.olimorris.dev/configuration/adapters-acp
    case 'neovim':
      return codeCompanion([command, ...args]);
  }
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function codeCompanion(command: readonly string[]): string {
  const words = command.map((word) => JSON.stringify(word)).join(', ');
  return `require("codecompanion").setup({
  adapters = {
    acp = {
      anyport = function()
        local helpers = require("codecompanion.adapters.acp.helpers")
        return {
          name = "anyport",
          formatted_name = "Anyport",
          type = "acp",
          roles = { llm = "assistant", user = "user" },
          commands = { default = { ${words} } },
          defaults = { mcpServers = {}, timeout = 20000 },
          parameters = { protocolVersion = 1, clientCapabilities = { fs = { readTextFile = true, writeTextFile = true } } },
          handlers = {
            setup = function() return true end,
            form_messages = function(self, messages, capabilities)
              return helpers.form_messages(self, messages, capabilities)
            end,
            on_exit = function() end,
          },
        }
      end,
    },
  },
})
`;
}
