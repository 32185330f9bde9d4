# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_alter_global_optspecs
    string join \n h/help V/version
end

function __fish_alter_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_alter_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_alter_using_subcommand
    set -l cmd (__fish_alter_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c alter -n "__fish_alter_needs_command" -s h -l help -d 'Print help'
complete -c alter -n "__fish_alter_needs_command" -s V -l version -d 'Print version'
complete -c alter -n "__fish_alter_needs_command" -f -a "hosts" -d 'Says which service and region a signature for a host must name'
complete -c alter -n "__fish_alter_needs_command" -f -a "token" -d 'Makes and reads short-term bearer tokens'
complete -c alter -n "__fish_alter_needs_command" -f -a "request" -d 'Signs a request and sends it'
complete -c alter -n "__fish_alter_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c alter -n "__fish_alter_using_subcommand hosts" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c alter -n "__fish_alter_using_subcommand token; and not __fish_seen_subcommand_from anthropic bedrock decode help" -s h -l help -d 'Print help'
complete -c alter -n "__fish_alter_using_subcommand token; and not __fish_seen_subcommand_from anthropic bedrock decode help" -f -a "anthropic" -d 'A token for Claude Platform on AWS'
complete -c alter -n "__fish_alter_using_subcommand token; and not __fish_seen_subcommand_from anthropic bedrock decode help" -f -a "bedrock" -d 'A token for Amazon Bedrock'
complete -c alter -n "__fish_alter_using_subcommand token; and not __fish_seen_subcommand_from anthropic bedrock decode help" -f -a "decode" -d 'Shows what a token says of itself, and never its signature'
complete -c alter -n "__fish_alter_using_subcommand token; and not __fish_seen_subcommand_from anthropic bedrock decode help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from anthropic" -l region -d 'The region that will take it [default: `AWS_REGION`, `AWS_DEFAULT_REGION`, then the profile\'s]' -r
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from anthropic" -l lifetime -d 'How long it lives, at most 12h; it ends with the credentials that sign it' -r
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from anthropic" -l profile -d 'The profile of the shared configuration that signs it [default: the SDKs\' default chain]' -r
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from anthropic" -l output -d 'What is printed' -r -f -a "token\t'The token alone'
json\t'Token, kind, region and expiry'
env\t'A line for a shell to evaluate'"
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from anthropic" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from bedrock" -l region -d 'The region that will take it [default: `AWS_REGION`, `AWS_DEFAULT_REGION`, then the profile\'s]' -r
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from bedrock" -l lifetime -d 'How long it lives, at most 12h; it ends with the credentials that sign it' -r
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from bedrock" -l profile -d 'The profile of the shared configuration that signs it [default: the SDKs\' default chain]' -r
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from bedrock" -l output -d 'What is printed' -r -f -a "token\t'The token alone'
json\t'Token, kind, region and expiry'
env\t'A line for a shell to evaluate'"
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from bedrock" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from decode" -l output -d 'Shows JSON' -r -f -a "text\t'A line for each fact'
json\t'One object'"
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from decode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "anthropic" -d 'A token for Claude Platform on AWS'
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "bedrock" -d 'A token for Amazon Bedrock'
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "decode" -d 'Shows what a token says of itself, and never its signature'
complete -c alter -n "__fish_alter_using_subcommand token; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c alter -n "__fish_alter_using_subcommand request" -l json -d 'A JSON body: the text, @FILE, or @- for standard input' -r
complete -c alter -n "__fish_alter_using_subcommand request" -l data -d 'A body: the text, @FILE, or @- for standard input. A form, unless a header says otherwise' -r
complete -c alter -n "__fish_alter_using_subcommand request" -s H -l header -d '\'Name: value\', any number of times' -r
complete -c alter -n "__fish_alter_using_subcommand request" -l service -d 'The signing name, where the host does not say it' -r
complete -c alter -n "__fish_alter_using_subcommand request" -l region -d 'The region to sign for, where the host does not say it' -r
complete -c alter -n "__fish_alter_using_subcommand request" -l profile -d 'The profile of the shared configuration that signs it [default: the SDKs\' default chain]' -r
complete -c alter -n "__fish_alter_using_subcommand request" -l dry-run -d 'Prints what would be signed and the headers, without the session token, and sends nothing'
complete -c alter -n "__fish_alter_using_subcommand request" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c alter -n "__fish_alter_using_subcommand help; and not __fish_seen_subcommand_from hosts token request help" -f -a "hosts" -d 'Says which service and region a signature for a host must name'
complete -c alter -n "__fish_alter_using_subcommand help; and not __fish_seen_subcommand_from hosts token request help" -f -a "token" -d 'Makes and reads short-term bearer tokens'
complete -c alter -n "__fish_alter_using_subcommand help; and not __fish_seen_subcommand_from hosts token request help" -f -a "request" -d 'Signs a request and sends it'
complete -c alter -n "__fish_alter_using_subcommand help; and not __fish_seen_subcommand_from hosts token request help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c alter -n "__fish_alter_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "anthropic" -d 'A token for Claude Platform on AWS'
complete -c alter -n "__fish_alter_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "bedrock" -d 'A token for Amazon Bedrock'
complete -c alter -n "__fish_alter_using_subcommand help; and __fish_seen_subcommand_from token" -f -a "decode" -d 'Shows what a token says of itself, and never its signature'
