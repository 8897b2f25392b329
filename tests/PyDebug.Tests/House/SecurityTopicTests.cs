using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>about_PyDebug_Security: a promise names the test that holds it, and there is such a test.</summary>
public sealed class SecurityTopicTests
{
    [Fact]
    public void Every_test_that_a_promise_names_is_there()
    {
        string text = File.ReadAllText(Path.Join(Repository.Root, "en-US", "about_PyDebug_Security.help.txt"));
        List<string> named =
        [
            .. Regex.Matches(text, @"\[([^\[\]""]+)\]").Select(m => m.Groups[1].Value)
                .SelectMany(m => Regex.Matches(m, @"[\w.-]*(?:Tests|test_\w+)[\w.-]*").Select(n => n.Value)),
        ];

        Assert.NotEmpty(named);
        Assert.All(named, n => Assert.True(Exists(n), n));
    }

    private static bool Exists(string name)
    {
        string folder = Path.Join(Repository.Root, "tests");
        if (name.EndsWith(".Tests.ps1", StringComparison.Ordinal))
        {
            return File.Exists(Path.Join(folder, name));
        }

        string[] parts = name.Split('.');
        if (parts[0].StartsWith("test_", StringComparison.Ordinal))
        {
            string file = Path.Join(folder, "agent", parts[0] + ".py");
            return File.Exists(file)
                && parts.Skip(1).All(p => Regex.IsMatch(File.ReadAllText(file), $@"\b(?:def|class) {p}\b"));
        }

        Type? type = typeof(SecurityTopicTests).Assembly.GetTypes().FirstOrDefault(t => t.Name == parts[0]);
        return type is not null
            && parts.Skip(1).All(p => type.GetMethods().Any(m => m.Name == p));
    }
}
