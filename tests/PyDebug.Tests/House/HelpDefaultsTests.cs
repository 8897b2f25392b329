using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Text.RegularExpressions;
using PyDebug.Commands;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Help has the value that a parameter has where it is not given.</summary>
public sealed partial class HelpDefaultsTests
{
    public static TheoryData<Type> Cmdlets => new(typeof(StartPodDebugCommand).Assembly.GetExportedTypes()
        .Where(t => t.GetCustomAttribute<CmdletAttribute>() is not null));

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public void Each_default_is_on_the_page(Type type)
    {
        CmdletAttribute cmdlet = type.GetCustomAttribute<CmdletAttribute>()!;
        string page = File.ReadAllText(Path.Join(Repository.Root, "en-US", $"{cmdlet.VerbName}-{cmdlet.NounName}.md"));
        Dictionary<string, string> told = EntryPattern().Matches(page)
            .ToDictionary(m => m.Groups[1].Value, m => m.Groups[2].Value.Trim('\''));
        object made = Activator.CreateInstance(type)!;

        Assert.NotEmpty(told);
        Assert.All(
            type.GetProperties().Where(p => p.GetCustomAttributes<ParameterAttribute>(true).Any()),
            p => Assert.Equal((p.Name, Text(p, made)), (p.Name, told[p.Name])));
        (made as IDisposable)?.Dispose();
    }

    /// <summary>A number or a word; whatever else has none that could be written.</summary>
    private static string Text(PropertyInfo property, object made)
        => property.GetValue(made) switch
        {
            0 => "",
            string text => text,
            IConvertible number => number.ToString(CultureInfo.InvariantCulture),
            _ => "",
        };

    [GeneratedRegex(@"^### -(\w+)$.*?^DefaultValue: (.*?)$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex EntryPattern();
}
