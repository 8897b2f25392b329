using System.Security;

namespace PyDebug.Tests.Engine;

/// <summary>A token that must never be seen outside an Authorization header.</summary>
internal static class Secrets
{
    public const string Canary = "canary-token-5f2c9";

    public static SecureString Token
    {
        get
        {
            SecureString token = new();
            foreach (char c in Canary)
            {
                token.AppendChar(c);
            }

            return token;
        }
    }
}
